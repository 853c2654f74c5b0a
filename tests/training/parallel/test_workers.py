import hashlib
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest

from nnmnist.config.schema import DistortConfig, TrainingConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples
from nnmnist.errors import TrainingError
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.optimizers import SGD
from nnmnist.training import parallel
from nnmnist.training.descent import Descent, EpochResult
from nnmnist.training.fit import fit
from nnmnist.training.parallel import workers as workers_module
from nnmnist.training.parallel.group import ProcessGroup
from nnmnist.training.parallel.layers import ShardedNetwork
from nnmnist.training.parallel.workers import STOP_SIGNALS, Shard, Workers, is_busy
from nnmnist.training.setup import make_optimizer
from nnmnist.training.threads import blas_threads, blas_threads_of

pytestmark = pytest.mark.skipif(not parallel.AVAILABLE, reason="needs Linux on x86-64")


def training(**changes):
    """The section `training` of a small training."""
    return TrainingConfig(**{"epochs": 2, "batch_size": 32, "learning_rate": 0.05, **changes})


@pytest.fixture(autouse=True)
def small_trainings_are_parallel(monkeypatch):
    monkeypatch.setattr(parallel, "STEP", 0)
    monkeypatch.setattr(parallel, "EPOCH", 0)
    monkeypatch.setattr(parallel, "UNITS", 1)
    monkeypatch.setattr(parallel, "available_cores", lambda: 64)
    monkeypatch.setattr(workers_module, "is_busy", lambda cores: False)


def examples(n=200, n_inputs=30, n_classes=4):
    """One more batch than the size divides, of bytes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n).astype(np.uint8)
    pixels = rng.integers(0, 256, (n, n_inputs)).astype(np.uint8)
    pixels[np.arange(n), labels] = 255
    return Examples(pixels, labels, np.arange(n), n_classes)


def trained(workers, sizes, settings, dtype=np.float64, activation="relu", **dropout):
    data = examples(n_inputs=sizes[0], n_classes=sizes[-1])
    network = Network(sizes, activation=activation, dtype=dtype, **dropout)
    network.initialize(np.random.default_rng(1))
    optimizer = make_optimizer(network, settings)
    epochs = list(fit(network, data, data, settings, 0, optimizer, cores=workers))
    return network, optimizer, epochs


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("sizes", [(30, 7, 4), (30, 8, 7, 4), (30, 9, 8, 7, 4)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_several_processes_train_what_one_trains(workers, sizes, optimizer, activation):
    settings = training(optimizer=optimizer, learning_rate=0.01, weight_decay=0.01, epochs=2)
    one, one_optimizer, one_epochs = trained(1, sizes, settings, activation=activation)
    several, optimizer, epochs = trained(workers, sizes, settings, activation=activation)
    np.testing.assert_allclose(several.theta, one.theta, rtol=1e-9, atol=1e-12)
    assert optimizer.state.keys() == one_optimizer.state.keys()
    for name, array in optimizer.state.items():
        np.testing.assert_allclose(array, one_optimizer.state[name], rtol=1e-8, atol=1e-12)
    assert [epoch.accuracy for epoch in epochs] == [epoch.accuracy for epoch in one_epochs]
    np.testing.assert_allclose([e.cost for e in epochs], [e.cost for e in one_epochs], rtol=1e-9)


@pytest.mark.parametrize("sizes", [(30, 7, 4), (30, 9, 8, 4)])
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("dropout", [{"dropout": 0.3}, {"input_dropout": 0.2, "dropout": 0.5}, {}])
def test_dropout_and_adversarial_examples_are_those_of_one_process(sizes, workers, dropout):
    settings = training(label_smoothing=0.1, adversarial=0.05, centre_inputs=True)
    one, *_ = trained(1, sizes, settings, activation="tanh", **dropout)
    several, *_ = trained(workers, sizes, settings, activation="tanh", **dropout)
    np.testing.assert_allclose(several.theta, one.theta, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("shape", [None, (6, 5)])
def test_distorted_images_are_those_of_one_process(shape):
    """With and without normalization before."""
    whole = examples(n_inputs=30)
    distort = DistortConfig(rotation=20, shift=1).as_json()
    pictures = Examples(whole.inputs, whole.targets, whole.rows, 4, (6, 5), distort)
    thetas = []
    for cores in (1, 2):
        network = Network((30, 8, 7, 4), dtype=np.float64)
        network.initialize(np.random.default_rng(1))
        if shape:
            network = NormalizedNetwork(network, shape)
        list(fit(network, pictures, pictures, training(centre_inputs=True), cores=cores))
        thetas.append(network.theta)
    np.testing.assert_allclose(thetas[1], thetas[0], rtol=1e-9, atol=1e-12)


def test_the_same_training_gives_the_same_bits():
    settings = training(epochs=3)
    first = trained(2, (30, 40, 20, 4), settings, np.float32, dropout=0.3)
    second = trained(2, (30, 40, 20, 4), settings, np.float32, dropout=0.3)
    assert first[0].theta.tobytes() == second[0].theta.tobytes()
    assert first[1].state["velocity"].tobytes() == second[1].state["velocity"].tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_resumed_training_ends_in_the_same_bits(optimizer):
    settings = training(epochs=4, optimizer=optimizer, learning_rate=0.01, centre_inputs=True)
    whole, *_ = trained(2, (30, 9, 8, 4), settings, np.float32, dropout=0.3)
    data = examples()
    network = Network((30, 9, 8, 4), dropout=0.3)
    network.initialize(np.random.default_rng(1))
    state = make_optimizer(network, settings)
    for epochs_done in range(4):  # new processes for each epoch
        epochs = fit(network, data, data, settings, 0, state, epochs_done, cores=2)
        assert next(epochs).number == epochs_done + 1
        epochs.close()
    assert network.theta.tobytes() == whole.theta.tobytes()


@pytest.mark.parametrize("world_size", [2, 3])
def test_shards_cover_every_weight_once(world_size):
    network = Network((5, 7, 6, 3))
    covered = np.zeros(network.theta.size)
    for rank in range(world_size):
        group = ProcessGroup(world_size)
        group.rank = rank
        shard = ShardedNetwork(network, group, max_batch=4)
        shard.theta[:] = 1
        for of_whole, of_shard in shard.pairs(network, covered, shard.theta):
            of_whole += of_shard
    weights, biases = covered[: network.n_weights], covered[network.n_weights :]
    assert (weights == 1).all()
    # all processes have the biases of the outputs
    assert biases.tolist() == [1] * (7 + 6) + [world_size] * 3


@pytest.mark.parametrize("dropout", [{"input_dropout": 0.2, "dropout": 0.5}, {}])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("count", "sizes"), [(2, (30, 40, 4)), (2, (30, 40, 20, 4)), (3, (30, 33, 20, 17, 4))]
)
def test_one_process_gives_the_same_bits_on_a_busy_machine(
    monkeypatch, count, sizes, optimizer, dropout
):
    """In all epochs, or in some."""
    settings = training(
        optimizer=optimizer, learning_rate=0.01, adversarial=0.05, centre_inputs=True, epochs=4
    )
    expected = trained(count, sizes, settings, np.float32, **dropout)[0].theta
    monkeypatch.setattr(workers_module, "is_busy", lambda cores: True)
    assert (
        trained(count, sizes, settings, np.float32, **dropout)[0].theta.tobytes()
        == expected.tobytes()
    )
    load = iter([False, True, False, True])
    monkeypatch.setattr(workers_module, "is_busy", lambda cores: next(load))
    assert (
        trained(count, sizes, settings, np.float32, **dropout)[0].theta.tobytes()
        == expected.tobytes()
    )


@pytest.mark.parametrize("output", ["softmax", "logistic", "linear"])
@pytest.mark.parametrize("class_weights", ["balanced", (1.0, 2.0, 3.0, 4.0)])
def test_class_weights_are_those_of_one_process(monkeypatch, class_weights, output):
    settings = training(class_weights=class_weights, learning_rate=0.01)
    sizes, unweighted = (30, 40, 20, 4), training(learning_rate=0.01)
    one = trained(1, sizes, settings, output=output)[0].theta
    several = trained(2, sizes, settings, output=output)[0].theta
    np.testing.assert_allclose(several, one, rtol=1e-8, atol=1e-11)
    assert not np.allclose(one, trained(1, sizes, unweighted, output=output)[0].theta, rtol=1e-3)
    expected = trained(2, sizes, settings, np.float32, output=output)[0].theta
    monkeypatch.setattr(workers_module, "is_busy", lambda cores: True)
    alone = trained(2, sizes, settings, np.float32, output=output)[0].theta
    assert alone.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("running", "cores", "busy"),
    [([1, 1, 1], 4, False), ([2, 3, 2], 4, True), ([5, 1, 5], 4, False), ([2, 2, 2], 3, False)],
)
def test_a_machine_is_busy_where_others_run_all_the_time(monkeypatch, running, cores, busy):
    """With four cores; the numbers include this process."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    texts = iter(f"cpu  1 2 3\nctxt 5\nprocs_running {n}\nprocs_blocked 0\n" for n in running)
    monkeypatch.setattr(workers_module, "PROC_STAT", SimpleNamespace(read_text=lambda: next(texts)))
    monkeypatch.setattr(workers_module, "_own_running_threads", lambda: 1)
    assert is_busy(cores) is busy


def test_own_threads_that_still_spin_do_not_make_the_machine_busy():
    stop = Event()

    def spin():
        # without Python's lock, as a thread of BLAS after a product
        while not stop.is_set():
            hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)

    counts = [workers_module._own_running_threads()]
    thread = Thread(target=spin)
    thread.start()
    try:
        counts += [workers_module._own_running_threads() for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert counts[0] >= 1  # this thread
    assert max(counts[1:]) >= 2


def test_a_machine_that_hides_its_load_is_not_busy(monkeypatch, tmp_path):
    monkeypatch.setattr(workers_module, "PROC_STAT", tmp_path / "missing")
    assert not is_busy(os.cpu_count())


def test_the_number_of_blas_threads_is_restored(two_blas_threads):
    trained(2, (30, 8, 4), training())
    assert blas_threads() == 2


def descent():
    """The training of a small network."""
    network, data = Network((30, 8, 4)), examples()
    batches = Batches(data, 32, np.eye(4, dtype=np.float32))
    return Descent(network, SGD(network.theta.size), batches, training(), seed=0)


def replace_epoch(monkeypatch, epoch):
    """Let each process call epoch(group), where it would train an epoch."""

    def instead(shard, number):
        epoch(shard.group)
        shard.group.barrier()
        return EpochResult(0.0, None, 0.0)

    monkeypatch.setattr(Shard, "epoch", instead)


def assert_ended(pids):
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_killed_worker_is_reported(monkeypatch):
    def epoch(group):
        if group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    replace_epoch(monkeypatch, epoch)
    with (
        Workers(descent(), 2) as workers,
        pytest.raises(TrainingError, match=r"^a worker process, \d+, has ended .*--threads 1$"),
    ):
        workers.epoch(1)


def test_a_worker_that_is_killed_between_two_epochs_is_reported():
    with Workers(descent(), 2) as workers:
        workers.epoch(1)
        [worker] = workers._pids
        os.kill(worker, signal.SIGKILL)
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TrainingError, match=r"^a worker process, \d+, has ended"):
            workers.epoch(2)


@pytest.fixture(params=["ignored", "collected"])
def other_parent(request):
    """The program ignores the end of its children, or collects all of them itself."""

    def collect(*_):
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    before = signal.signal(
        signal.SIGCHLD, signal.SIG_IGN if request.param == "ignored" else collect
    )
    yield
    signal.signal(signal.SIGCHLD, before)


def test_a_program_may_collect_or_ignore_its_children(other_parent):
    workers = Workers(descent(), 2)
    with workers:
        workers.epoch(1)
    assert_ended(workers._pids)


def test_a_program_that_ignores_its_children_is_told_that_one_was_killed(other_parent):
    with Workers(descent(), 2) as workers:
        [worker] = workers._pids
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(TrainingError, match=rf"^a worker process, {worker}, has ended"):
            workers.epoch(1)
    assert_ended([worker])


def test_a_suspended_worker_is_reported(monkeypatch):
    monkeypatch.setattr(workers_module, "PATIENCE", 0.3)

    def epoch(group):
        if group.rank == 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    replace_epoch(monkeypatch, epoch)
    with Workers(descent(), 2) as workers:
        [worker] = workers._pids
        with pytest.raises(
            TrainingError, match=rf"^a worker process, {worker}, does not answer: it was suspended"
        ):
            workers.epoch(1)
    assert_ended([worker])


def test_a_slow_worker_is_waited_for(monkeypatch):
    monkeypatch.setattr(workers_module, "PATIENCE", 0.3)

    def epoch(group):
        if group.rank == 1:
            end = time.process_time() + 1
            while time.process_time() < end:
                pass

    replace_epoch(monkeypatch, epoch)
    with Workers(descent(), 2) as workers:
        workers.epoch(1)


def test_while_all_processes_are_suspended_no_time_passes(monkeypatch):
    """Ctrl-Z, and later fg."""
    monkeypatch.setattr(workers_module, "PATIENCE", 1.0)
    (go, tell), (read, write) = os.pipe(), os.pipe()

    def epoch(group):
        if group.rank == 1:
            os.write(write, b"x")
            os.read(go, 1)

    monkeypatch.setattr(workers_module, "_close_files", lambda keep: None)
    replace_epoch(monkeypatch, epoch)
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        with Workers(descent(), 2) as workers:
            workers.epoch(1)
        os._exit(0)
    assert os.read(read, 1) == b"x"
    time.sleep(0.1)  # the first process waits for the other one
    os.killpg(pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    time.sleep(1.2)
    os.killpg(pid, signal.SIGCONT)
    time.sleep(0.1)  # it looks again before the other one goes on
    os.write(tell, b"x")
    assert os.waitpid(pid, 0)[1] == 0
    for end in (go, tell, read, write):
        os.close(end)


def test_a_start_that_fails_leaves_nothing_behind(two_blas_threads, monkeypatch):
    restore = signal.pthread_sigmask

    def fail_after_the_fork(how, mask):
        if how == signal.SIG_SETMASK and workers._pids:
            raise KeyboardInterrupt
        return restore(how, mask)

    workers = Workers(descent(), 2)
    monkeypatch.setattr(signal, "pthread_sigmask", fail_after_the_fork)
    with pytest.raises(KeyboardInterrupt), workers:
        pass
    monkeypatch.undo()
    restore(signal.SIG_UNBLOCK, STOP_SIGNALS)
    assert blas_threads() == 2
    assert_ended(workers._pids)


def test_afterwards_no_process_shares_the_network():
    network, *_ = trained(2, (30, 8, 4), training())
    expected = network.theta.copy()
    pid = os.fork()
    if not pid:
        network.theta[:] = 0
        os._exit(0)
    os.waitpid(pid, 0)
    np.testing.assert_array_equal(network.theta, expected)


def test_the_parameters_are_the_same_arrays_as_before():
    network = Network((30, 8, 4))
    theta, data = network.theta, examples()
    list(fit(network, data, data, training(), cores=2))
    assert network.theta is theta
    assert theta.any()


def at_a_barrier(group):
    if group.rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def in_a_long_product(group):
    if group.rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # returns to Python no sooner than a product


def before_an_epoch(group):
    """The worker waits for its number; the parent computes alone, or saves the epoch before."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("moment", [at_a_barrier, in_a_long_product, before_an_epoch])
def test_a_worker_ends_with_its_parent(monkeypatch, moment):
    read, write = os.pipe()
    replace_epoch(monkeypatch, moment)
    monkeypatch.setattr(workers_module, "is_busy", lambda cores: moment is before_an_epoch)
    monkeypatch.setattr(Workers, "_epoch_in_one_process", lambda workers, _: moment(workers.group))
    pid = os.fork()
    if not pid:
        os.close(read)
        # a worker keeps the standard streams open: the pipe ends where the worker ends
        os.dup2(write, 1)
        os.close(write)
        with Workers(descent(), 2) as workers:
            workers.epoch(1)
        os._exit(0)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    ended, *_ = select.select([read], [], [], 20)
    assert ended, "the worker still runs"
    assert os.read(read, 1) == b""
    os.close(read)


def forks(monkeypatch):
    """A list of the processes that are forked from now on."""
    forked, fork = [], os.fork
    monkeypatch.setattr(os, "fork", lambda: forked.append(fork()) or forked[-1])
    return forked


def theta(cores=2, processes=None, **changes):
    """What a training gives, as bytes."""
    network, data = Network((30, 40, 4)), examples()
    network.initialize(np.random.default_rng(1))
    settings = training(**{"epochs": 2, **changes})
    list(fit(network, data, data, settings, cores=cores, processes=processes))
    return network.theta.tobytes()


def test_with_too_few_cores_one_process_gives_the_same_bits(monkeypatch):
    expected = theta(processes=3)
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)
    forked = forks(monkeypatch)
    assert theta(processes=3) == expected
    assert forked == []


def test_where_no_process_can_start_one_gives_the_same_bits(monkeypatch):
    """macOS, Windows and ARM."""
    expected = theta(processes=2)
    monkeypatch.setattr(parallel, "AVAILABLE", False)
    forked = forks(monkeypatch)
    assert theta(processes=2) == expected
    assert forked == []


def test_with_a_curve_one_process_gives_the_same_bits(monkeypatch):
    expected = theta(processes=2)
    forked = forks(monkeypatch)
    assert theta(processes=2, curve_every=3) == expected
    assert forked == []


@pytest.mark.parametrize(("sizes", "processes"), [((30, 4), 2), ((30, 5, 4), 6), ((30, 5, 4), 0)])
def test_more_processes_than_units_are_refused(sizes, processes):
    network, data = Network(sizes), examples()
    message = rf"^{processes} processes cannot train a network of sizes \(30, "
    with pytest.raises(TrainingError, match=message):
        list(fit(network, data, data, training(), processes=processes))


def test_trainings_in_other_threads_have_the_same_bits(two_blas_threads, monkeypatch):
    """Two at once; they do not fork, because other threads may hold locks."""
    expected = theta(epochs=10)
    forked = forks(monkeypatch)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(theta, epochs=10) for _ in range(2)]
        assert [each.result() for each in both] == [expected, expected]
    assert forked == []
    assert blas_threads() == 2


def test_beside_a_training_that_computes_no_process_is_forked(monkeypatch):
    expected = theta()
    computes, may_end = Event(), Event()

    def other():
        with blas_threads_of(1):
            computes.set()
            assert may_end.wait(30)

    forked = forks(monkeypatch)
    with ThreadPoolExecutor(1) as threads:
        training = threads.submit(other)
        assert computes.wait(30)
        assert theta() == expected
        may_end.set()
        training.result()
    assert forked == []
    assert theta() == expected
    assert len(forked) == 1


POOL = """
import sys
from multiprocessing import get_context

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.config.schema import TrainingConfig
from nnmnist.model.network import Network
from nnmnist.training import parallel
from nnmnist.training.fit import fit


def theta(_):
    parallel.STEP = parallel.EPOCH = 0
    network = Network((30, 64, 4))
    network.initialize(np.random.default_rng(1))
    inputs = np.random.default_rng(0).random((200, 30), np.float32)
    data = Examples(inputs, np.arange(200, dtype=np.uint8) % 4, np.arange(200), 4)
    settings = TrainingConfig(epochs=3, batch_size=32)
    list(fit(network, data, data, settings, cores=2))
    return network.theta.tobytes()


if __name__ == "__main__":
    with get_context(sys.argv[1]).Pool(2) as pool:
        found = pool.map(theta, range(4), chunksize=1)
    print(len(set(found)), found[0] == theta(0))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_trainings_in_a_pool_of_processes_have_the_same_bits(method):
    Path("pool.py").write_text(POOL)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "pool.py", method],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("1 True\n", "")


def test_divergence_is_reported_as_by_one_process():
    settings = training(learning_rate=1e20)
    with pytest.raises(TrainingError) as one:
        trained(1, (30, 8, 4), settings, np.float32)
    with pytest.raises(TrainingError) as several:
        trained(2, (30, 8, 4), settings, np.float32)
    assert str(several.value) == str(one.value)
    assert "first value that is not finite: z" in str(one.value)


def test_no_process_is_left_when_training_stops_early(monkeypatch):
    data = examples()
    forked = forks(monkeypatch)
    epochs = fit(Network((30, 8, 4)), data, data, training(epochs=5), cores=2)
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
def test_there_are_as_many_workers_as_pay(monkeypatch, sizes, batch, examples, cores, workers):
    monkeypatch.undo()
    assert parallel.worker_count(sizes, batch, examples, cores) == workers


@pytest.mark.parametrize(("batch_size", "count"), [(64, 2), ("full", 2), (1, 1)])
def test_the_number_of_processes_is_known_before(monkeypatch, batch_size, count):
    monkeypatch.setattr(parallel, "STEP", 1000)
    forked = forks(monkeypatch)
    network, data, settings = Network((30, 8, 4)), examples(), training(batch_size=batch_size)
    list(fit(network, data, data, settings, cores=2))
    assert parallel.process_count(network, data, settings, 2) == 1 + len(forked) == count


def test_a_solver_needs_one_process():
    settings = training(optimizer="least_squares")
    assert parallel.process_count(Network((30, 8, 4)), examples(), settings, 2) == 1


def test_a_given_number_of_processes_gives_its_bits(monkeypatch):
    """Although another number would be chosen."""
    one, two, three = (theta(cores) for cores in (1, 2, 3))
    assert len({one, two, three}) == 3
    assert theta(3, processes=1) == one
    assert theta(2, processes=3) == three
    monkeypatch.setattr(parallel, "STEP", 1_000_000_000)
    assert theta(3, processes=2) == two
