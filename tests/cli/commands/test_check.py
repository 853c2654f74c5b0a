import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.model.activations import ACTIVATIONS


def check(*arguments):
    return CliRunner().invoke(cli, ["check", *map(str, arguments)])


@pytest.mark.parametrize("normalize", ["false", "true"])
def test_one_row_per_array(tiny_config, normalize):
    result = check("-c", tiny_config, "--set", f"model.normalize={normalize}")
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["array", "shape", "checked", "largest", "relative", "error"]
    assert [row.split()[0] for row in rows] == ["W1", "W2", "b1", "b2"]
    assert rows[0].split()[1:5] == ["8", "x", "30", "100"]
    assert rows[1].split()[1:5] == ["3", "x", "8", "24"]
    assert all(float(row.split()[-1]) < 1e-7 for row in rows)


def test_without_a_config_it_is_the_default_recipe_and_mnist_is_not_needed():
    result = check()
    assert result.exit_code == 0
    assert "W1         320 x 784" in result.stdout


@pytest.mark.parametrize("error", [1.001, np.nan])
def test_a_wrong_gradient_is_exit_1(tiny_config, monkeypatch, error):
    def slope(h, out):
        np.multiply(h, h, out=out)
        np.subtract(error, out, out=out)

    monkeypatch.setitem(ACTIVATIONS, "tanh", ACTIVATIONS["tanh"]._replace(slope=slope))
    result = check("-c", tiny_config, "--set", "model.activation=tanh")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines() if "WRONG" in line] == [
        "W1",
        "b1",
    ]


@pytest.mark.parametrize(
    "changes", [["model.dropout=0.3"], ["training.weight_decay=0.1"], ["model.hidden=[]"]]
)
def test_settings_that_change_the_gradient(tiny_config, changes):
    result = check("-c", tiny_config, *(part for change in changes for part in ("--set", change)))
    assert result.exit_code == 0


def test_a_regression(tiny_config):
    result = check(
        "-c",
        "plain",
        "--set",
        "data.name=planes",
        "--set",
        "model.output=sigmoid",
        "--set",
        "model.hidden=[5]",
        "--set",
        "training.label_smoothing=0",
    )
    assert result.exit_code == 0
    assert "W2             2 x 5" in result.stdout


def test_a_wrong_config_is_exit_2():
    result = check("--set", "training.tolerance=-1")
    assert result.exit_code == 2
    assert "training.tolerance: expected a number >= 0 or null, found -1" in result.stderr
