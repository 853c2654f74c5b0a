"""The projection of inputs to their principal components."""

from dataclasses import replace

import numpy as np
import pytest

from nnmnist.data import projection
from nnmnist.data.examples import Examples
from nnmnist.data.projection import Projection, principal_components
from nnmnist.errors import DataError


def examples(n=300, n_inputs=12, n_directions=3, seed=0):
    """Inputs that vary in a few directions around a mean, and hardly in the others."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n_directions, n_inputs))
    x = rng.standard_normal((n, n_directions)) @ directions
    x += 4 + 0.01 * rng.standard_normal((n, n_inputs))
    return Examples(x.astype(np.float32), np.zeros(n, np.uint8), np.arange(n), 1)


def test_the_components_are_the_directions_in_which_the_inputs_vary_most():
    data = examples()
    found = principal_components(data, 3)
    P = found.P
    np.testing.assert_allclose(P.T @ P, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(found.m, data.mean @ P, rtol=1e-5)
    centred = data.x - data.x.mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)[2][:3].T  # the same up to rotations
    np.testing.assert_allclose(P @ P.T, expected @ expected.T, atol=1e-4)
    rest = centred - centred @ P @ P.T
    assert np.abs(rest).max() < 0.1 < np.abs(centred).max()


def test_projected_examples_keep_their_rows_and_targets():
    data = replace(examples(), rows=np.array([3, 1, 7]))
    found = principal_components(data, 2)
    projected = found.of(data)
    assert projected.inputs.shape == (300, 2)
    assert projected.rows.tolist() == [3, 1, 7]
    assert projected.targets is data.targets
    np.testing.assert_allclose(projected.x, data.x @ found.P - found.m, atol=1e-5)
    np.testing.assert_allclose(projected.mean, 0, atol=1e-5)


def test_pixels_are_projected_in_chunks_as_numbers_from_0_to_1(monkeypatch):
    monkeypatch.setattr(projection, "CHUNK", 7 * 9)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9)).astype(np.uint8)
    data = Examples(pixels, np.zeros(40, np.uint8), np.arange(40), 1, (3, 3))
    before = pixels.copy()
    found = principal_components(data, 9)
    projected = found.of(data)
    # all components are a rotation: distances stay
    np.testing.assert_allclose(
        np.linalg.norm(projected.x[:-1] - projected.x[1:], axis=1),
        np.linalg.norm(data.x[:-1] - data.x[1:], axis=1),
        rtol=1e-4,
    )
    assert projected.image_shape is None
    assert (pixels == before).all()


def test_without_components_the_mean_is_subtracted():
    x = np.array([[1.0, 5.0]], np.float32)
    Projection(np.array([1.0, 2.0], np.float32)).apply(x, x)
    assert x.tolist() == [[0.0, 3.0]]


def test_examples_of_all_classes_determine_the_components(monkeypatch):
    """Also where the examples are sorted by class, and only some of them are used."""
    monkeypatch.setattr(projection, "MOST", 10)
    x = np.zeros((1000, 3), np.float32)
    x[:900, 0], x[900:, 1] = 1, 1
    data = Examples(x, np.zeros(1000, np.uint8), np.arange(1000), 1)
    P = principal_components(data, 1).P
    np.testing.assert_allclose(np.abs(P[:, 0]), [0.5**0.5, 0.5**0.5, 0], atol=1e-5)


def test_large_examples_determine_the_components_in_smaller_number(monkeypatch):
    """So that large pictures need no gigabytes; there are twice as many as components."""
    monkeypatch.setattr(projection, "VALUES", 25)
    data = examples(n_inputs=12)
    P = principal_components(data, 3).P  # from six examples
    centred = data.x - data.x.mean(axis=0)
    assert np.abs(centred - centred @ P @ P.T).max() < 0.3 < np.abs(centred).max()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_inputs_without_a_finite_covariance_are_one_clear_error(value):
    data = examples()
    data.inputs[5, 2] = value
    with pytest.raises(DataError, match=r"^training.principal_components: some inputs .* not fin"):
        principal_components(data, 2)
