import numpy as np

from nnmnist.config.schema import DistortConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples
from nnmnist.training.parallel.batches import ParallelBatches
from nnmnist.training.parallel.group import ProcessGroup

ONE_HOT = np.eye(3, dtype=np.float32)


def images(n=100):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (n, 30)), np.arange(n) % 3
    distort = DistortConfig().as_json()
    return Examples(
        pixels.astype(np.uint8), labels.astype(np.uint8), np.arange(n), 3, (6, 5), distort
    )


class Rank(ProcessGroup):
    """One of three processes, without the others."""

    def __init__(self, rank):
        super().__init__(3)
        self.rank = rank

    def barrier(self):
        self.barriers += 1


def copied(batches):
    """The batches with their arrays copied: they are valid only until the next one."""
    return [(x.copy(), y.copy()) for x, y, *_ in batches.epoch(np.random.default_rng(3))]


def test_each_process_distorts_its_share_of_a_batch():
    batches = Batches(images(), 16, ONE_HOT)
    ranks = [Rank(rank) for rank in range(3)]
    expected = copied(batches)
    for rank in ranks:
        for (x, y), (its_x, its_y) in zip(
            expected, copied(ParallelBatches(batches, rank)), strict=True
        ):
            own = rank.shard(len(x))
            np.testing.assert_array_equal(its_x[own], x[own])
            np.testing.assert_array_equal(its_y, y)
    assert [rank.barriers for rank in ranks] == [len(expected)] * 3
