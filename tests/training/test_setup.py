import pytest

from nnmnist.config.loading import load_config
from nnmnist.training.setup import CHECK_PARAMETERS, check_gradient


def test_the_gradient_check_covers_every_array_of_the_network(tiny_config):
    checks = check_gradient(load_config(tiny_config))
    assert {check.name: check.shape for check in checks} == {
        "W1": (8, 30), "W2": (3, 8), "b1": (8,), "b2": (3,)
    }  # fmt: skip
    assert [check.checked for check in checks] == [CHECK_PARAMETERS, 24, 8, 3]
    assert max(check.error for check in checks) < 1e-7


@pytest.mark.parametrize("name", ["mnist", "synthetic"])
def test_a_gradient_check_of_mnist_needs_no_files(name):
    settings = load_config(None, [f"data.name={name}", "model.hidden=[4]"])
    assert max(check.error for check in check_gradient(settings)) < 1e-6
