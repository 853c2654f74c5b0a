import os
import signal
from dataclasses import dataclass

import numpy as np
import pytest

from nnmnist.config.schema import DistortConfig
from nnmnist.data.examples import Examples
from nnmnist.errors import TrainingError
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.optimizers import SGD
from nnmnist.training import team as team_module
from nnmnist.training.fit import fit
from nnmnist.training.setup import make_optimizer
from nnmnist.training.team import Part, Team
from nnmnist.training.threads import blas_threads

pytestmark = pytest.mark.skipif(not team_module.AVAILABLE, reason="teams are for Linux on x86-64")


@dataclass(frozen=True)
class Settings:
    epochs: int = 2
    batch_size: int = 32
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    schedule: str = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    adversarial: float = 0.0


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(team_module, "STEP", 0)
    monkeypatch.setattr(team_module, "EPOCH", 0)
    monkeypatch.setattr(team_module, "UNITS", 1)


def examples(n=200, n_inputs=30, n_classes=4):
    """One more batch than the size divides, of bytes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n).astype(np.uint8)
    pixels = rng.integers(0, 256, (n, n_inputs)).astype(np.uint8)
    pixels[np.arange(n), labels] = 255
    return Examples(pixels, labels, np.arange(n), n_classes)


def trained(workers, sizes, settings, dtype=np.float64, activation="relu", **dropout):
    data = examples(n_inputs=sizes[0], n_classes=sizes[-1])
    network = Network(sizes, activation, dtype=dtype, **dropout)
    network.initialize(np.random.default_rng(1))
    optimizer = make_optimizer(network, settings)
    epochs = list(fit(network, data, data, settings, 0, optimizer, cores=workers))
    return network, optimizer, epochs


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("sizes", [(30, 7, 4), (30, 8, 7, 4), (30, 9, 8, 7, 4)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_team_trains_what_one_process_trains(workers, sizes, optimizer, activation):
    settings = Settings(optimizer=optimizer, learning_rate=0.01, weight_decay=0.01, epochs=2)
    alone, its_optimizer, its_epochs = trained(1, sizes, settings, activation=activation)
    together, optimizer, epochs = trained(workers, sizes, settings, activation=activation)
    np.testing.assert_allclose(together.theta, alone.theta, rtol=1e-9, atol=1e-12)
    assert optimizer.state.keys() == its_optimizer.state.keys()
    for name, array in optimizer.state.items():
        np.testing.assert_allclose(array, its_optimizer.state[name], rtol=1e-8, atol=1e-12)
    assert [epoch.accuracy for epoch in epochs] == [epoch.accuracy for epoch in its_epochs]
    np.testing.assert_allclose([e.cost for e in epochs], [e.cost for e in its_epochs], rtol=1e-9)


@pytest.mark.parametrize("sizes", [(30, 7, 4), (30, 9, 8, 4)])
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("dropout", [{"dropout": 0.3}, {"input_dropout": 0.2, "dropout": 0.5}, {}])
def test_a_team_drops_and_moves_what_one_process_does(sizes, workers, dropout):
    settings = Settings(label_smoothing=0.1, adversarial=0.05)
    alone, *_ = trained(1, sizes, settings, activation="tanh", **dropout)
    together, *_ = trained(workers, sizes, settings, activation="tanh", **dropout)
    np.testing.assert_allclose(together.theta, alone.theta, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("shape", [None, (6, 5)])
def test_a_team_sees_the_same_distorted_pictures(shape):
    """Normalized before, or not."""
    whole = examples(n_inputs=30)
    distort = DistortConfig(rotation=20, shift=1).model_dump()
    pictures = Examples(whole.inputs, whole.targets, whole.rows, 4, (6, 5), distort)
    thetas = []
    for cores in (1, 2):
        network = Network((30, 8, 7, 4), dtype=np.float64, normalized_shape=shape)
        network.initialize(np.random.default_rng(1))
        list(fit(network, pictures, pictures, Settings(), cores=cores))
        thetas.append(network.theta)
    np.testing.assert_allclose(thetas[1], thetas[0], rtol=1e-9, atol=1e-12)


def test_a_team_gives_the_same_bits_again():
    settings = Settings(epochs=3)
    first = trained(2, (30, 40, 20, 4), settings, np.float32, dropout=0.3)
    second = trained(2, (30, 40, 20, 4), settings, np.float32, dropout=0.3)
    assert first[0].theta.tobytes() == second[0].theta.tobytes()
    assert first[1].state["velocity"].tobytes() == second[1].state["velocity"].tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_team_that_goes_on_ends_in_the_same_bits(optimizer):
    settings = Settings(epochs=4, optimizer=optimizer, learning_rate=0.01)
    whole, *_ = trained(2, (30, 9, 8, 4), settings, np.float32, dropout=0.3)
    data = examples()
    network = Network((30, 9, 8, 4), dropout=0.3)
    network.initialize(np.random.default_rng(1))
    state = make_optimizer(network, settings)
    for epochs_done in range(4):  # each epoch by a team of its own
        epochs = fit(network, data, data, settings, 0, state, epochs_done, cores=2)
        assert next(epochs).number == epochs_done + 1
        epochs.close()
    assert network.theta.tobytes() == whole.theta.tobytes()


def test_parts_cover_every_parameter_once():
    network = Network((5, 7, 6, 3))

    class Ranks:
        workers, rank = 3, 0
        own = Team.own

    covered = np.zeros(network.n_weights)
    weights, _ = network.views(np.concatenate([covered, np.zeros(16)]))
    for rank in range(3):
        ranks = Ranks()
        ranks.rank = rank
        part = Part(network, SGD(network.theta.size), ranks)
        for W, block in zip(weights, part.network.blocks(), strict=True):
            W[block] += 1
    assert all((W == 1).all() for W in weights)


def test_the_threads_are_as_before():
    before = blas_threads()
    trained(2, (30, 8, 4), Settings())
    assert blas_threads() == before


def test_a_killed_worker_is_told():
    network = Network((30, 8, 4))

    def prepare(part):
        def work(number):
            if part.team.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        return work

    with (
        Team(2, network, SGD(network.theta.size), 1, prepare) as team,
        pytest.raises(TrainingError, match=r"^a worker process, \d+, has ended .*--threads 1$"),
    ):
        team.run(1)


def assert_ended(pids):
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_worker_that_was_killed_between_two_epochs_is_told():
    network = Network((30, 8, 4))
    with Team(
        2, network, SGD(network.theta.size), 1, lambda part: lambda number: os.getpid()
    ) as team:
        team.run(1)
        [worker] = team._pids
        os.kill(worker, signal.SIGKILL)
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TrainingError, match=r"^a worker process, \d+, has ended"):
            team.run(2)


def test_a_start_that_fails_leaves_nothing_behind():
    network, before = Network((30, 8, 4)), blas_threads()

    def prepare(part):
        if part.team.rank == 0:
            raise KeyboardInterrupt
        return lambda number: None

    team = Team(2, network, SGD(network.theta.size), 1, prepare)
    with pytest.raises(KeyboardInterrupt), team:
        pass
    assert blas_threads() == before
    assert_ended(team._pids)


def test_afterwards_nobody_shares_the_network():
    network, *_ = trained(2, (30, 8, 4), Settings())
    kept = network.theta.copy()
    pid = os.fork()
    if not pid:
        network.theta[:] = 0
        os._exit(0)
    os.waitpid(pid, 0)
    np.testing.assert_array_equal(network.theta, kept)


def test_a_worker_ends_with_its_parent():
    """The parent goes while its worker waits for it, in a meeting that never takes place."""
    read, write = os.pipe()
    network = Network((30, 8, 4))

    def prepare(part):
        def work(number):
            if part.team.rank == 1:
                part.team.meet()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

        return work

    pid = os.fork()
    if not pid:
        os.close(read)
        os.dup2(write, 1)  # what a worker keeps open: its end is the end of the pipe
        os.close(write)
        with Team(2, network, SGD(network.theta.size), 1, prepare) as team:
            team.run(1)
        os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b""
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(read)


def test_divergence_is_told_as_by_one_process():
    settings = Settings(learning_rate=1e20)
    with pytest.raises(TrainingError) as alone:
        trained(1, (30, 8, 4), settings, np.float32)
    with pytest.raises(TrainingError) as together:
        trained(2, (30, 8, 4), settings, np.float32)
    assert str(together.value) == str(alone.value)
    assert "first to break: z" in str(alone.value)


def test_no_process_is_left_when_training_is_left_early(monkeypatch):
    data = examples()
    forked, fork = [], os.fork
    monkeypatch.setattr(os, "fork", lambda: forked.append(fork()) or forked[-1])
    epochs = fit(Network((30, 8, 4)), data, data, Settings(epochs=5), cores=2)
    next(epochs)
    epochs.close()
    assert_ended(forked)


@pytest.mark.parametrize(
    ("sizes", "batch", "examples", "cores", "workers"),
    [
        ((784, 256, 10), 64, 55_000, 2, 2),
        ((784, 256, 10), 64, 55_000, 1, 1),
        ((784, 128, 10), 64, 55_000, 8, 4),  # no fewer than 32 units for each
        ((784, 256, 10), 64, 1_000, 2, 1),
        ((784, 256, 10), 1, 55_000, 2, 1),
        ((784, 10), 128, 1_000_000, 2, 1),
        ((2, 8, 1), 4, 1_000_000, 2, 1),
    ],
)
def test_a_crew_is_as_large_as_the_work(monkeypatch, sizes, batch, examples, cores, workers):
    monkeypatch.undo()
    assert team_module.crew(Network(sizes), batch, examples, cores) == workers
