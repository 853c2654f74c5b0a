import os
import zipfile

import numpy as np
import pytest

from nnmnist.data import own
from nnmnist.images import reading

from .support import (
    IMAGES,
    LABELS,
    NAMES,
    all_examples,
    error_of,
    members,
    png,
    write_files,
    write_zip,
)

posix = pytest.mark.skipif(os.name != "posix", reason="needs links and named pipes")
PICTURE = png(IMAGES[0])


def counts(source):
    return [np.bincount(part[1]).tolist() for part in (source.train, source.test)]


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "data", members())


@pytest.mark.parametrize("part", ["test", "Testing", "t10k"])
@pytest.mark.parametrize("outer", ["", "inner/data/"])
@pytest.mark.parametrize("pack", [write_files, write_zip])
def test_parts(tmp_path, part, outer, pack):
    files = {f"{outer}train/{name}": data for name, data in members().items()}
    files |= {f"{outer}{part}/{name}": data for name, data in list(members().items())[:9]}
    files |= {f"{outer}README.md": b"hello"}
    source = own.load(pack(tmp_path / "data.zip", files))
    assert counts(source) == [[20, 20, 20], [3, 3, 3]]
    assert source.n_validation == 0


def test_a_validation_part_is_kept(tmp_path):
    files = {
        f"{part}/{name}": data for part in ("train", "val") for name, data in members().items()
    }
    source = own.load(write_files(tmp_path, files))
    assert counts(source) == [[37, 37, 37], [3, 3, 3]]
    assert source.n_validation == 60


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_formats_and_sizes(tmp_path, form):
    rng = np.random.default_rng(0)
    for n in range(6):
        image = rng.integers(0, 256, (20 + n, 300 - 50 * n)).astype(np.uint8)
        (tmp_path / "ab"[n % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[n % 2] / f"{n}.{form.lower()}").write_bytes(png(image, form))
    source = own.load(tmp_path, prepare="resize")
    assert (counts(source), source.image_shape) == ([[2, 2], [1, 1]], (28, 28))


def test_classes_are_in_natural_order(tmp_path):
    names = [str(n) for n in range(12)]
    files = {f"{name}/{n}.png": PICTURE for name in names for n in range(2)}
    assert own.load(write_files(tmp_path, files)).classes == tuple(names)


@pytest.mark.parametrize("pack", [write_files, write_zip])
def test_files_of_the_system_are_ignored(tmp_path, pack):
    clutter = ["cat/._0000.png", "cat/.DS_Store", "dog/Thumbs.db", "dog/desktop.ini"]
    clutter += ["__MACOSX/cat/._0000.png", ".originals/cat/0001.png", ".git/x/y.png", "notes.txt"]
    files = members() | dict.fromkeys(clutter, b"\0\5\x16\7")
    source = own.load(pack(tmp_path / "data.zip", files))
    assert source.classes == ("T-shirt/top", "cat", "dog")
    assert counts(source) == [[17, 17, 17], [3, 3, 3]]


def test_pictures_that_cannot_be_read_are_named_counted_or_left_out(folder):
    for n in range(5):
        (folder / "cat" / f"bad{n}.heic").write_bytes(b"no picture")
    message = error_of(folder)
    assert message.startswith(f"{folder}: 5 of 65 train pictures cannot be read: {folder}/cat/bad0")
    assert "bad2.heic" in message
    assert "bad3.heic" not in message
    assert message.endswith("and 2 more; remove them, or set data.skip_unreadable: true")
    notices = []
    source = own.load(folder, skip_unreadable=True, notify=notices.append)
    assert counts(source) == [[17, 17, 17], [3, 3, 3]]
    assert len(notices) == 1
    assert notices[0].startswith(f"{folder}: left out 5 train pictures that cannot be read: ")


def test_a_class_without_a_readable_picture(folder):
    write_files(folder, {"fish/1.png": b"no", "fish/2.png": b"picture"})
    message = error_of(folder, skip_unreadable=True)
    assert message.startswith(f"{folder}: no training pictures of the class fish; ")


MIXED_UP = {
    "pictures in no class": ({"0.png": PICTURE}, "0.png lies in no class; put the pictures"),
    "a picture beside the classes": (members() | {"x.png": PICTURE}, "x.png lies in no class"),
    "parts without classes": (
        {"train/0.png": PICTURE, "test/0.png": PICTURE},
        "test/0.png lies in no class",
    ),
    "a class beside the parts": (
        {"train/a/0.png": PICTURE, "zebra/0.png": PICTURE},
        "has the parts train, and beside them zebra; put each class into one of the parts",
    ),
    "no training part": (
        {"test/a/0.png": PICTURE, "val/a/0.png": PICTURE},
        "has no training part; expected PATH/train/<class>/*.png",
    ),
    "one class": (
        {"a/0.png": PICTURE, "a/1.png": PICTURE},
        "all pictures are of the class a; a classifier needs two classes",
    ),
    "one picture per class": (
        {"a/0.png": PICTURE, "b/1.png": PICTURE},
        "no class has two examples, so none can be set aside for a test",
    ),
    "a class for the test alone": (
        {"train/a/0.png": PICTURE, "train/b/0.png": PICTURE, "test/c/0.png": PICTURE},
        "no training pictures of the class c; add some, or remove the class from the test part",
    ),
    "no pictures": ({"a/notes/x/.y": b""}, "holds no pictures; expected PATH/<class>/*.png"),
    "control characters": (
        {"a\x1b/0.png": PICTURE, "b/0.png": PICTURE},
        "a class is called 'a\\x1b'; give it a printable name",
    ),
}


@pytest.mark.parametrize("pack", [write_files, write_zip])
@pytest.mark.parametrize(("files", "fault"), MIXED_UP.values(), ids=MIXED_UP)
def test_mixed_up_folders(tmp_path, files, fault, pack):
    path = pack(tmp_path / "data.zip", files)
    assert error_of(path).startswith(f"{path}: {fault}")


def test_names_that_the_page_encodes(tmp_path):
    written = {"T-shirt%2Ftop": "T-shirt/top", "50%25": "50%", "%2E%2E": "..", "a%20": "a "}
    kept = {"50%": "50%", "a%20b": "a%20b", "%C3%A4": "%C3%A4", "ä": "ä", "100%2f": "100%2f"}
    for names in (written, kept):
        files = {f"{name}/{n:04}.png": PICTURE for name in names for n in range(1, 3)}
        files |= {f".originals/{name}": PICTURE for name in files}
        assert set(own.load(write_zip(tmp_path / "my_digits.zip", files)).classes) == {
            *names.values()
        }


def test_other_zip_files(tmp_path):
    path = write_zip(tmp_path / "z.zip", {f"./digits\\{n}": d for n, d in members().items()})
    assert counts(own.load(path)) == [[17, 17, 17], [3, 3, 3]]
    for files in ({}, {"notes.txt": b"hello"}):
        path = write_zip(tmp_path / "z.zip", files)
        assert error_of(path) == f"{path}: holds no pictures; expected PATH/<class>/*.png"
    path.write_bytes(b"PK\3\4" + bytes(100))
    assert error_of(path).startswith(f"{path}: damaged zip file: ")


def test_the_last_of_two_members_with_one_name_counts(tmp_path):
    path = write_zip(tmp_path / "z.zip", members())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("cat/0000.png", png(255 - IMAGES[0]))
    inputs, _ = all_examples(own.load(path))
    assert (inputs == 255 - IMAGES[0].reshape(-1)).all(axis=1).any()
    assert not (inputs == IMAGES[0].reshape(-1)).all(axis=1).any()


def test_a_zip_bomb_is_not_decompressed(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 1)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members().items():
            archive.writestr(name, data)
        archive.writestr("cat/bomb.png", bytes(60_000_000))
    read = []
    original = zipfile.ZipFile.read
    monkeypatch.setattr(
        zipfile.ZipFile, "read", lambda self, m: read.append(m.filename) or original(self, m)
    )
    assert "cat/bomb.png: larger than 50,000,000 bytes" in error_of(path)
    assert "cat/0000.png" in read
    assert "cat/bomb.png" not in read


@posix
def test_links_are_followed_and_loops_left_out(folder):
    (folder / "fish").symlink_to(folder / "cat")
    (folder / "cat" / "loop").symlink_to(folder)
    source = own.load(folder)
    assert source.classes == ("T-shirt/top", "cat", "dog", "fish")
    assert counts(source) == [[17, 17, 17, 17], [3, 3, 3, 3]]


@posix
def test_what_is_no_file_is_named(folder):
    os.mkfifo(folder / "cat" / "pipe.png")
    (folder / "dog" / "endless.png").symlink_to("/dev/zero")
    (folder / "dog" / "lost.png").symlink_to("nowhere")
    message = error_of(folder)
    assert "3 of 63 train pictures cannot be read" in message
    for name in ("cat/pipe.png", "dog/endless.png", "dog/lost.png"):
        assert f"{folder}/{name}: is not a file" in message


def test_deep_folders_end_in_an_error(tmp_path):
    deep = tmp_path / "data" / "/".join("d" * 30)
    write_files(deep, {"a/0.png": PICTURE})
    assert error_of(tmp_path / "data").endswith("lies in more than 20 folders")


def test_no_folder_is_listed_again_and_again(folder, monkeypatch):
    listed = []
    original = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": listed.append(str(path)) or original(path))
    own.load(folder)
    assert listed.count(str(folder / "cat")) <= 2


def test_labels_and_pictures_stay_together(folder):
    inputs, names = all_examples(own.load(folder))
    right = {image.tobytes(): NAMES[label] for image, label in zip(IMAGES, LABELS, strict=True)}
    assert [right[row.tobytes()] for row in inputs] == names.tolist()
