import gzip
import pickle

import pytest

from nnmnist.data import own

from .support import IMAGES, error_of, write_zip


class Harmful:
    """Unpickling it would end the test."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


PICKLE = pickle.dumps((IMAGES, Harmful()))
FILES = {
    "mnist.pkl": PICKLE,
    "mnist.pickle": pickle.dumps(Harmful(), protocol=0),
    "mnist.pkl.gz": gzip.compress(PICKLE),
    "mnist": PICKLE,
    "mnist.gz": gzip.compress(PICKLE),
    "training.pt": PICKLE,
    "damaged.PTH": b"hello",
}


@pytest.mark.parametrize("name", FILES)
def test_pickles_are_refused_with_how_to_convert_them(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    message = error_of(path)
    assert message.startswith(f"{path}: is a pickle, and reading it would run any code in it; ")
    assert "numpy.savez('digits.npz', x_train=..., y_train=..." in message
    with pytest.raises(own.DataError, match="is a pickle"):
        own.images_in(path)


def test_a_file_of_torch_is_refused_whatever_its_name(tmp_path):
    path = write_zip(tmp_path / "training.zip", {"training/data.pkl": PICKLE})
    assert "is a pickle" in error_of(path)
