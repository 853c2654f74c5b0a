from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.options import parse_ranges, require_output


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("7", [7]), ("0-3", [0, 1, 2, 3]), ("3, 5,8-10", [3, 5, 8, 9, 10]), ("2-2", [2])],
)
def test_ranges_include_both_ends(text, numbers):
    found = parse_ranges(text, "--test", "numbers")
    assert [number for each in found for number in each] == numbers


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "1.5", "1,,2", "1-2-3", "9" * 19])
def test_other_texts_are_refused(text):
    with pytest.raises(click.UsageError, match=f"--test {text}: expected numbers such as 0-9"):
        parse_ranges(text, "--test", "numbers such as 0-9")


def test_a_range_that_runs_backwards_is_corrected():
    with pytest.raises(click.UsageError, match="--test 1,5-2: 5-2 runs backwards; try 2-5"):
        parse_ranges("1,5-2", "--test", "numbers")


def test_huge_ranges_take_no_memory():
    assert parse_ranges("0-99999999999999", "--test", "numbers") == [range(10**14)]


def test_a_file_to_write_is_new_and_has_a_known_suffix():
    Path("old.png").touch()
    require_output(Path("new.PNG"), [".png"], force=False)
    require_output(Path("old.png"), [".png"], force=True)
    with pytest.raises(click.ClickException, match="already exists; use --force to overwrite"):
        require_output(Path("old.png"), [".png"], force=False)
    with pytest.raises(click.UsageError, match=r"x.gif: the file name must end in .png or .svg"):
        require_output(Path("x.gif"), [".png", ".svg"], force=False)


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(click.UsageError, match=r"--test 0-999+\.\.\.: expected numbers") as caught:
        parse_ranges("0-" + "9" * 5000, "--test", "numbers")
    assert len(caught.value.message) < 200


def test_a_run_stands_for_its_best_checkpoint_and_a_checkpoint_for_its_run(tiny_config):
    def output(*arguments):
        force = ["--force"] if "-o" in arguments else []
        result = CliRunner().invoke(cli, [*arguments, *force])
        assert result.exit_code == 0, result.output
        return result.stdout

    output("train", "-c", "tiny.yaml", "-o", "runs/first", "-q", "--chart")
    best = output("runs", "best").strip()
    for command in (["evaluate"], ["predict", "--test", "0-3"], ["compare", "runs/first/last.npz"]):
        assert output(*command, best) == output(*command, f"{best}/best.npz")
    for name, command in (("x.safetensors", "export"), ("y.html", "report")):
        written = []
        for path in (best, f"{best}/best.npz"):
            output(command, path, "-o", name)
            written.append(Path(name).read_bytes())
        assert written[0] == written[1]
    kind = ["--kind", "curves"]
    assert output("plot", best, *kind) == output("plot", f"{best}/last.npz", *kind)
    assert output("train", "--from", best, "-o", "second", "-q").startswith("validation")
