"""What the formats are tested with: a trained network and its test images, and networks of every
kind.
"""

import json
import os
from collections import defaultdict

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.app import cli
from nnmnist.config.loading import parse_config
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.export.html import encode
from nnmnist.images.preparation import has_layout_of_mnist
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.outputs import OUTPUTS
from nnmnist.training.setup import load_data

from .page import Page

KINDS = [(activation, output) for activation in ACTIVATIONS for output in OUTPUTS]
REAL_DATA = os.environ.get("NNMNIST_DATA_DIR")


@pytest.fixture(scope="session")
def trained(made_once):
    """The path of a checkpoint of the default network, after one epoch on MNIST, or on drawn digits
    without it.
    """

    def train(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NNMNIST_OFFLINE", "1")
            patch.setenv("XDG_CACHE_HOME", str(folder))
            result = CliRunner().invoke(
                cli, ["train", "--epochs", "1", "-o", str(folder / "run"), "--json"]
            )
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["checkpoint"] == str(folder / "run" / "best.npz")

    return str(made_once("trained", train) / "run" / "best.npz")


@pytest.fixture(scope="session")
def reader(trained):
    """That checkpoint."""
    return checkpoint.load(trained)


@pytest.fixture(scope="session")
def digits(reader):
    """The test images (n, 28, 28) uint8 that go with it."""
    settings = parse_config("data: {fallback: synthetic}", "test").data
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNMNIST_OFFLINE", "1")
        if REAL_DATA:
            patch.setenv("NNMNIST_DATA_DIR", REAL_DATA)
        test = load_data(settings).test
    images = test.inputs[test.rows].reshape(-1, 28, 28)
    # A few generated digits are greyer than MNIST's, and are prepared again.
    return images[[has_layout_of_mnist(image) for image in images]]


def network_of(activation, output, sizes=(784, 24, 16, 10), normalized_shape=None, **facts):
    """A checkpoint with weights drawn at random, so large that its predictions differ."""
    network = Network(sizes, activation=activation, output=output)
    network.theta[:] = np.random.default_rng(0).normal(0, 0.2, len(network.theta))
    if normalized_shape:
        network = NormalizedNetwork(network, normalized_shape)
    n_classes = max(2, sizes[-1] - network.output.has_none)
    document = {"classes": [str(k) for k in range(n_classes)], "image_shape": [28, 28]}
    return Checkpoint(network, {**document, **facts})


@pytest.fixture(scope="session")
def html(reader, tmp_path_factory):
    """The page of the trained network, in a file."""
    path = tmp_path_factory.mktemp("page") / "digits.html"
    path.write_bytes(encode(reader))
    return path


@pytest.fixture(scope="session")
def free_tabs():
    """Tabs that no test uses any more, by device: to open a new one costs three times as much."""
    return defaultdict(list)


@pytest.fixture
def opened(browser, free_tabs, html):
    """A function that opens the page on some device; at the end nothing may have gone wrong on any
    of them. What a test changes for the whole life of a tab needs a `new_tab`.
    """
    pages = []

    def open_page(path=html, new_tab=False, **device):
        free = [] if new_tab else free_tabs[str(device)]
        if free:
            page = free.pop()
            page.open(path)
        else:
            page = Page(browser, path, **device)
        pages.append((page, new_tab, free))
        return page

    yield open_page
    for page, new_tab, free in pages:
        assert page.logged == []
        assert set(page.requests) == {page.address}
        if new_tab:
            page.page.close()
        else:
            page.forget()
            free.append(page)
