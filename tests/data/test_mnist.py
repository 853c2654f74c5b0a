import gzip
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nnmnist.data import cache, mnist, own
from nnmnist.data.download import Published
from nnmnist.data.readers import idx
from nnmnist.data.sources import load_source
from nnmnist.errors import DataError, DataUnavailable

from . import server as hostile

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = mnist.FILES
RNG = np.random.default_rng(0)
ARRAYS = {
    TRAIN_IMAGES: RNG.integers(0, 256, (30, 5, 4), np.uint8),
    TRAIN_LABELS: np.arange(30, dtype=np.uint8) % 10,
    TEST_IMAGES: RNG.integers(0, 256, (10, 5, 4), np.uint8),
    TEST_LABELS: np.arange(10, dtype=np.uint8),
}
PUBLISHED = dict(mnist.FILES)
CONTENTS = {name: idx.encode(array) for name, array in ARRAYS.items()}


@pytest.fixture(autouse=True)
def small_mnist_and_own_cache(tmp_path, monkeypatch):
    """Four tiny files stand for MNIST, and every file counts as settled."""
    published = {
        name: Published(len(CONTENTS[name]), idx.sha256(ARRAYS[name])) for name in CONTENTS
    }
    monkeypatch.setattr(mnist, "FILES", published)
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(cache, "SETTLED_NS", -1)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NNMNIST_OFFLINE", "1")
    monkeypatch.delenv("NNMNIST_DATA_DIR", raising=False)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    with hostile.serve(CONTENTS) as running:
        yield running


@pytest.fixture
def hashed(monkeypatch):
    """The arrays that were hashed so far."""
    arrays = []
    sha256 = idx.sha256
    monkeypatch.setattr(idx, "sha256", lambda array: (arrays.append(array), sha256(array))[1])
    return arrays


def write(folder: Path, pack=bytes, ending="") -> Path:
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / (name + ending)).write_bytes(pack(content))
    return folder


def assert_is_mnist(source, folder):
    for part, images, labels in (
        (source.train, TRAIN_IMAGES, TRAIN_LABELS),
        (source.test, TEST_IMAGES, TEST_LABELS),
    ):
        np.testing.assert_array_equal(part[0], ARRAYS[images].reshape(-1, 20), strict=True)
        np.testing.assert_array_equal(part[1], ARRAYS[labels], strict=True)
    assert source.classes == tuple("0123456789")
    assert source.image_shape == (5, 4)
    assert source.identity == {
        "name": "mnist",
        "folder": str(folder.resolve()),
        "sha256": {name: published.sha256 for name, published in mnist.FILES.items()},
    }


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize("place", ["argument", "variable", "cache"])
def test_files_are_found_raw_or_packed_wherever_they_may_be(
    tmp_path, monkeypatch, place, pack, ending
):
    directory = tmp_path / place
    write(directory / "mnist", pack, ending)
    if place == "variable":
        monkeypatch.setenv("NNMNIST_DATA_DIR", str(directory))
    assert_is_mnist(mnist.load(directory if place == "argument" else None), directory / "mnist")


def test_the_argument_comes_before_the_variable_and_that_before_the_cache(tmp_path, monkeypatch):
    for place in ("cache", "variable", "argument"):
        write(tmp_path / place / "mnist")
    assert_is_mnist(mnist.load(), tmp_path / "cache" / "mnist")
    monkeypatch.setenv("NNMNIST_DATA_DIR", str(tmp_path / "variable"))
    assert_is_mnist(mnist.load(), tmp_path / "variable" / "mnist")
    assert_is_mnist(mnist.load(tmp_path / "argument"), tmp_path / "argument" / "mnist")


@pytest.mark.parametrize("origin", ["--data-dir", "NNMNIST_DATA_DIR"])
def test_a_directory_given_by_hand_is_never_replaced(tmp_path, monkeypatch, server, origin):
    write(tmp_path / "cache" / "mnist")
    named = tmp_path / "named"
    monkeypatch.setenv("NNMNIST_DATA_DIR", str(named))
    data_dir = named if origin == "--data-dir" else None

    def complaint():
        with pytest.raises(DataError) as caught:
            load_source("mnist", data_dir=data_dir, fallback="synthetic")
        text = str(caught.value)
        assert text.startswith(f"{origin} {named}: ")
        assert f"expected {', '.join(mnist.FILES)} (with or without .gz) there, in {named}" in text
        return text

    assert "this folder does not exist" in complaint()
    named.mkdir()
    assert f"{named} holds no file of MNIST, but nothing;" in complaint()
    for n in range(10):
        (named / f"{n}.png").touch()
    assert "but 0.png, 1.png, 2.png, 3.png, 4.png and 5 more;" in complaint()
    (named / "mnist").mkdir()
    (named / "mnist" / "train.csv").touch()
    assert f"{named / 'mnist'} holds no file of MNIST, but train.csv;" in complaint()
    assert not server.counts


def test_a_raw_file_comes_before_a_packed_one(tmp_path):
    folder = write(tmp_path / "mnist")
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(b"never read")
    assert_is_mnist(mnist.load(tmp_path), folder)


def test_a_directory_given_by_hand_must_hold_all_files_and_good_ones(tmp_path, server):
    folder = write(tmp_path / "mnist")
    (folder / TEST_LABELS).write_bytes(CONTENTS[TEST_LABELS][:-1] + b"\0")
    with pytest.raises(
        DataError, match=f"{TEST_LABELS}: is damaged, or not a file of MNIST.*data.path"
    ):
        mnist.load(tmp_path, [server.mirror("good")])
    (folder / TEST_LABELS).unlink()
    with pytest.raises(DataError, match=f"lacks {TEST_LABELS} "):
        mnist.load(tmp_path, [server.mirror("good")])
    assert not server.counts


def test_a_directory_given_by_hand_is_only_read(tmp_path):
    folder = write(tmp_path / "mnist", gzip.compress, ".gz")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    mnist.load(tmp_path)
    assert {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()
    } == before
    assert sorted(os.listdir(tmp_path / "cache")) == ["mnist", "verified.json"]


def test_what_is_missing_is_fetched_into_the_cache(tmp_path, server):
    folder = tmp_path / "cache" / "mnist"
    folder.mkdir(parents=True)
    (folder / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(CONTENTS[TRAIN_LABELS]))
    for _ in range(2):
        assert_is_mnist(mnist.load(None, [server.mirror("good")]), folder)
    fetched = {name for name in CONTENTS if name != TRAIN_LABELS}
    assert server.counts == {f"/good/{name}.gz": 1 for name in fetched}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-3], lambda content: content[:-1] + b"\7"]
)
def test_a_damaged_file_in_the_cache_is_named_and_fetched_again(tmp_path, server, damage, ending):
    folder = write(tmp_path / "cache" / "mnist", gzip.compress if ending else bytes, ending)
    damaged = folder / (TRAIN_IMAGES + ending)
    damaged.write_bytes(damage(damaged.read_bytes()))
    notices = []
    assert_is_mnist(mnist.load(None, [server.mirror("good")], notices.append), folder)
    assert notices[0].startswith(f"{damaged}: ")
    assert notices[0].endswith("; downloading it again")
    assert server.counts == {f"/good/{TRAIN_IMAGES}.gz": 1}


def test_a_damaged_file_in_the_cache_is_named_without_network_too(tmp_path):
    folder = write(tmp_path / "cache" / "mnist")
    (folder / TRAIN_IMAGES).write_bytes(b"")
    with pytest.raises(DataUnavailable, match=f"lacks {TRAIN_IMAGES}, and NNMNIST_OFFLINE forbids"):
        mnist.load()


def test_without_files_and_network_the_default_mirrors_are_told(tmp_path):
    with pytest.raises(DataUnavailable) as failure:
        mnist.load()
    for name in mnist.FILES:
        assert f"{mnist.MIRRORS[0]}{name}.gz" in str(failure.value)


def test_a_verified_file_is_not_hashed_again(tmp_path, hashed):
    write(tmp_path / "mnist")
    mnist.load(tmp_path)
    assert len(hashed) == 4
    assert_is_mnist(mnist.load(tmp_path), tmp_path / "mnist")
    assert len(hashed) == 4


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows tells nobody when a file's times were set"
)
def test_a_changed_byte_is_noticed_although_its_time_was_set_back(tmp_path):
    path = write(tmp_path / "mnist") / TRAIN_IMAGES
    mnist.load(tmp_path)
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([CONTENTS[TRAIN_IMAGES][-1] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    while path.stat().st_ctime_ns == status.st_ctime_ns:  # until the system's clock ticks
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    with pytest.raises(DataError, match="damaged"):
        mnist.load(tmp_path)


def test_a_file_changed_a_moment_ago_is_not_recorded(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(cache, "SETTLED_NS", 3_600_000_000_000)
    write(tmp_path / "mnist")
    mnist.load(tmp_path)
    mnist.load(tmp_path)
    assert len(hashed) == 8


@pytest.fixture
def unpacked(monkeypatch):
    """The names of the files that were unpacked so far."""
    names = []

    class GzipFile(gzip.GzipFile):
        def __init__(self, fileobj):
            names.append(fileobj.name)
            super().__init__(fileobj=fileobj)

    monkeypatch.setattr(gzip, "GzipFile", GzipFile)
    return names


def test_a_packed_file_is_unpacked_once(tmp_path, unpacked, hashed):
    folder = write(tmp_path / "mnist", gzip.compress, ".gz")
    for _ in range(3):
        assert_is_mnist(mnist.load(tmp_path), folder)
    assert len(unpacked) == 4
    assert len(hashed) == 8  # once packed, and once unpacked
    for name, content in CONTENTS.items():
        assert (tmp_path / "cache" / "mnist" / name).read_bytes() == content


COPIES = {
    "removed": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(CONTENTS[TRAIN_IMAGES][:-1]),
    "one bit": lambda path: path.write_bytes(CONTENTS[TRAIN_IMAGES][:-1] + b"\7"),
    "another file": lambda path: path.write_bytes(CONTENTS[TEST_IMAGES]),
}


@pytest.mark.parametrize("damage", COPIES.values(), ids=COPIES)
def test_a_damaged_copy_of_a_packed_file_is_noticed_and_replaced(tmp_path, unpacked, damage):
    folder = write(tmp_path / "mnist", gzip.compress, ".gz")
    mnist.load(tmp_path)
    damage(tmp_path / "cache" / "mnist" / TRAIN_IMAGES)
    for _ in range(2):
        assert_is_mnist(mnist.load(tmp_path), folder)
    assert unpacked[4:] == [str(folder / f"{TRAIN_IMAGES}.gz")]


def test_a_packed_file_that_changed_is_noticed_although_there_is_a_copy(tmp_path):
    path = write(tmp_path / "mnist", gzip.compress, ".gz") / f"{TRAIN_IMAGES}.gz"
    mnist.load(tmp_path)
    path.write_bytes(gzip.compress(CONTENTS[TRAIN_IMAGES][:-1] + b"\7"))
    with pytest.raises(DataError, match="damaged, or not a file of MNIST"):
        mnist.load(tmp_path)


def test_programs_that_start_together_all_get_the_packed_files(tmp_path):
    folder = write(tmp_path / "mnist", gzip.compress, ".gz")
    with ThreadPoolExecutor(8) as executor:
        for source in executor.map(mnist.load, [tmp_path] * 16):
            assert_is_mnist(source, folder)
    assert sorted(os.listdir(tmp_path / "cache" / "mnist")) == sorted(CONTENTS)


DAMAGED_RECORDS = [b"", b"{", b"\xff", b"[]", b'{"%s": 3}', b'{"%s": {"size": []}}', b"[" * 100_000]


@pytest.mark.parametrize("record", DAMAGED_RECORDS, ids=range(len(DAMAGED_RECORDS)))
def test_a_damaged_record_only_means_hashing_again(tmp_path, hashed, record):
    folder = write(tmp_path / "mnist")
    (tmp_path / "cache").mkdir()
    path = str(folder / TRAIN_IMAGES).replace("\\", "\\\\")
    (tmp_path / "cache" / "verified.json").write_bytes(record.replace(b"%s", path.encode()))
    assert_is_mnist(mnist.load(tmp_path), folder)
    assert_is_mnist(mnist.load(tmp_path), folder)
    assert len(hashed) == 4


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz")])
def test_a_cache_that_cannot_be_written_only_means_hashing_again(
    tmp_path, monkeypatch, hashed, pack, ending
):
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "file" / "cache")
    write(tmp_path / "mnist", pack, ending)
    for _ in range(2):
        assert_is_mnist(mnist.load(tmp_path), tmp_path / "mnist")
    assert len(hashed) == 8


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz")])
def test_any_folder_of_four_files_is_a_source(tmp_path, pack, ending):
    folder = write(tmp_path / "letters", pack, ending)
    labels = ARRAYS[TEST_LABELS]
    source = own.load(folder)
    np.testing.assert_array_equal(
        source.train[0], ARRAYS[TRAIN_IMAGES].reshape(30, 20), strict=True
    )
    np.testing.assert_array_equal(source.test[1], labels, strict=True)
    assert (source.name, source.image_shape) == ("letters", (5, 4))
    assert source.classes == tuple("0123456789")
    assert source.identity["sha256"][TEST_LABELS] == idx.sha256(labels)
    assert source.identity["folder"] == str(folder.resolve())


MISFITS = {
    "labels for images": (
        TRAIN_IMAGES,
        ARRAYS[TRAIN_LABELS],
        "train: expected images .*, found 30 and 30",
    ),
    "images for labels": (
        TEST_LABELS,
        ARRAYS[TEST_IMAGES],
        "test: .*, found 10 x 5 x 4 and 10 x 5 x 4",
    ),
    "a label too few": (TRAIN_LABELS, ARRAYS[TRAIN_LABELS][1:], "train: 30 images, but 29 labels"),
    "other size": (
        TEST_IMAGES,
        ARRAYS[TEST_IMAGES][:, 1:],
        r"the parts have images of several sizes \(5 x 4, 4 x 4\)",
    ),
    "no pixels": (TEST_IMAGES, ARRAYS[TEST_IMAGES][:, :0], r"test: no images \(10 x 0 x 4\)"),
}


@pytest.mark.parametrize(("name", "array", "complaint"), MISFITS.values(), ids=MISFITS)
def test_files_that_do_not_fit_are_refused(tmp_path, name, array, complaint):
    folder = write(tmp_path / "folder")
    (folder / name).write_bytes(idx.encode(array))
    with pytest.raises(DataError, match=complaint) as failure:
        own.load(folder)
    assert str(failure.value).startswith(f"{folder}: ")


def test_empty_files_are_refused(tmp_path):
    folder = write(tmp_path / "folder")
    (folder / TEST_IMAGES).write_bytes(idx.encode(ARRAYS[TEST_IMAGES][:0]))
    (folder / TEST_LABELS).write_bytes(idx.encode(ARRAYS[TEST_LABELS][:0]))
    with pytest.raises(DataError, match=r"test: no images \(0 x 5 x 4\)"):
        own.load(folder)


def test_a_single_class_is_refused(tmp_path):
    folder = write(tmp_path / "folder")
    for name in (TRAIN_LABELS, TEST_LABELS):
        (folder / name).write_bytes(idx.encode(np.zeros_like(ARRAYS[name])))
    with pytest.raises(
        DataError, match="folder: all pictures are of the class 0; a classifier needs two classes"
    ):
        own.load(folder)


def test_a_folder_that_is_not_there_or_lacks_files_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: does not exist"):
        own.load(tmp_path / "nowhere")
    folder = write(tmp_path / "folder")
    (folder / TRAIN_LABELS).unlink()
    with pytest.raises(DataError, match=f"folder: lacks {TRAIN_LABELS}"):
        own.load(folder)


@pytest.fixture
def published(small_mnist_and_own_cache, monkeypatch):
    """The real hashes again."""
    monkeypatch.setattr(mnist, "FILES", PUBLISHED)


@pytest.mark.usefixtures("published")
def test_the_real_mnist_is_complete(real_mnist):
    source = mnist.load(real_mnist)
    assert source.train[0].shape == (60_000, 784)
    assert source.test[0].shape == (10_000, 784)
    assert source.image_shape == (28, 28)
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(source.train[1]).tolist() == train
    assert np.bincount(source.test[1]).tolist() == test


@pytest.mark.usefixtures("published")
def test_a_raw_copy_of_the_real_mnist_in_the_cache_is_hashed_once(
    real_mnist, tmp_path, monkeypatch, hashed
):
    folder = tmp_path / "cache" / "mnist"
    folder.mkdir(parents=True)
    for name, path in mnist.find(real_mnist).items():
        (folder / name).write_bytes(idx.encode(idx.read(path)))
    monkeypatch.delenv("NNMNIST_DATA_DIR")
    first, second = mnist.load(), mnist.load()
    assert len(hashed) == 4
    np.testing.assert_array_equal(first.train[0], second.train[0])
