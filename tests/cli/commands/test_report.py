import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(*arguments):
    result = nnmnist("train", *arguments)
    assert result.exit_code == 0, result.output


@pytest.fixture
def run(tiny_run):
    return tiny_run("run")


def test_an_empty_split(tiny_config):
    train("-c", tiny_config, "-o", "all", "--set", "data.validation=0")
    result = nnmnist("report", "all", "--split", "validation")
    assert result.exit_code == 2
    assert "leaves this split empty" in result.stderr


def test_the_default_file_and_an_existing_file(run):
    result = nnmnist("report", run)
    assert (result.exit_code, result.stdout) == (0, "run/report.html\n")
    Path("run/report.html").write_text("mine")
    result = nnmnist("report", run)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: run/report.html: already exists; use --force to overwrite, or name another file\n"
    )
    assert Path("run/report.html").read_text() == "mine"
    assert nnmnist("report", run, "--force").exit_code == 0
    assert Path("run/report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "'nowhere' does not exist"),
        (["run/metrics.csv"], 2, "is a file"),
        (["."], 1, "is not a run (no metrics.csv)"),
        (["run", "-o", "nowhere/page.html"], 1, "nowhere"),
        (["run", "-o", "run"], 2, "is a directory"),
        (["run", "-o", "page.txt"], 2, "page.txt: the file name must end in .html"),
        (["run", "--split", "all"], 2, "--split"),
        ([], 2, "Missing argument"),
    ],
)
def test_bad_input(run, arguments, code, message):
    result = nnmnist("report", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_missing_data(run):
    found = checkpoint.load(run / "best.npz")
    checkpoint.save(run / "best.npz", found.network, found.classes,
                    {**found.document, "config": {"data": {"path": "gone"}},
                     "data": {"name": "gone", "folder": "gone too"}})  # fmt: skip
    result = nnmnist("report", run)
    assert result.exit_code == 1
    assert "gone" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (run / "report.html").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
def test_a_directory_whose_name_is_not_text(run):
    run = run.rename(os.fsdecode(b"bad\xff"))
    assert nnmnist("report", run).exit_code == 0
    assert r"<h1>bad\udcff" in (run / "report.html").read_text("utf-8")
