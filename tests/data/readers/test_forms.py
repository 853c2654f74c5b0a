"""The same pictures in every form, whole and damaged."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from nnmnist.data import own
from nnmnist.errors import ConfigError, DataError

from .support import FORMS, IMAGES, LABELS, NAMES, all_examples, error_of

HAS_NAMES = ("folder", "zip", "parquet")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_examples(tmp_path, form):
    source = own.load(FORMS[form](tmp_path))
    names = ["T-shirt/top", "cat", "dog"] if form in HAS_NAMES[:2] else NAMES
    names = names if form in HAS_NAMES else ["0", "1", "2"]
    assert source.classes == tuple(names)
    assert (source.image_shape, source.preparation.mode) == ((8, 8), "as_is")
    inputs, found = all_examples(source)
    order = np.lexsort(IMAGES.reshape(60, 64).T)
    np.testing.assert_array_equal(inputs, IMAGES.reshape(60, 64)[order])
    right = np.array(NAMES if form in HAS_NAMES else ["0", "1", "2"])[LABELS[order]]
    assert found.tolist() == right.tolist()


@pytest.mark.parametrize("form", FORMS)
def test_a_test_part_is_set_aside_of_each_class_by_the_seed(tmp_path, form):
    path = FORMS[form](tmp_path)
    sources = [own.load(path, seed=seed) for seed in (0, 0, 1)]
    for source in sources:
        assert np.bincount(source.test[1]).tolist() == [3, 3, 3]
        assert np.bincount(source.train[1]).tolist() == [17, 17, 17]
    np.testing.assert_array_equal(sources[0].test[0], sources[1].test[0])
    assert not np.array_equal(sources[0].test[0], sources[2].test[0])


def damaged(content, rng):
    """Some content, cut or with flipped bits."""
    if rng.random() < 0.4:
        return content[: rng.randrange(len(content))]
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 30])):
        # the header and the end of a file have its structure
        edge = rng.randrange(min(64, len(data)))
        place = rng.choice([rng.randrange(len(data)), edge, -1 - edge])
        data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


def loaded(path, **settings):
    """The data, or the message of the error."""
    try:
        return own.load(path, **settings)
    except (DataError, ConfigError) as error:
        return str(error)


def load_damaged(path, n):
    """Load the data n times with one of its files damaged; how often it is refused."""
    rng, refused = random.Random(0), 0
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for _ in range(n):
        file = rng.choice(files)
        content = file.read_bytes()
        file.write_bytes(damaged(content, rng))
        result = loaded(path, skip_unreadable=rng.random() < 0.5)
        if isinstance(result, str):
            refused += 1
            assert result.isprintable(), result
            assert str(path) in result
        else:
            assert len(result.classes) > 1
        file.write_bytes(content)
    return refused


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_refused_in_one_line(tmp_path, form):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile and Pillow warn of what they find odd
        assert load_damaged(FORMS[form](tmp_path), 60) > 5


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_many_damaged_files_are_refused_in_one_line(tmp_path, form):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert load_damaged(FORMS[form](tmp_path), 2000) > 100


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_file_is_named(tmp_path, form):
    path = FORMS[form](tmp_path)
    file = path if path.is_file() else min(p for p in path.rglob("*") if p.is_file())
    file.write_bytes(b"")
    assert file.name in error_of(path)


@pytest.mark.parametrize(
    ("make", "held"),
    [
        (lambda path: path.mkdir(), "it holds nothing"),
        (lambda path: path.write_text("hello"), "this file is none of them"),
        (lambda path: path.write_bytes(b""), "this file is none of them"),
    ],
)
def test_what_has_no_known_form(tmp_path, make, held):
    make(tmp_path / "data")
    message = error_of(tmp_path / "data")
    assert message == f"{tmp_path / 'data'}: expected {own.FORMS}; {held}"


def test_a_missing_path_is_named_with_what_it_was_resolved_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert error_of(Path("digits")).startswith(f"{tmp_path / 'digits'}: does not exist; expected ")
    assert "File name too long" in error_of(Path("x" * 5000))
