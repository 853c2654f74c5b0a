"""Any config and any command line works, or gives one line per error, never a traceback."""

import json
import re
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from nnmnist.config.schema import Config, DataConfig, ModelConfig, TrainingConfig, kinds
from nnmnist.data.readers import idx
from nnmnist.training import threads

from .support import assert_one_line, counts, finished, linux, nnmnist, spawn

SECTIONS = {"data": DataConfig, "model": ModelConfig, "training": TrainingConfig}
KEYS = [
    "seed",
    *(f"{name}.{key}" for name, section in SECTIONS.items() for key in kinds(section)),
]

NUMBERS = [
    "0",
    "-1",
    "1e-3",
    "1e400",
    "-1e400",
    ".nan",
    ".inf",
    "9" * 99,
    "9" * 200,
    "0x10",
    "1_0",
    "1:30",
]
STRANGE = [
    "[]",
    "[1000000, 1000000]",
    "[[1]]",
    "{}",
    "null",
    "~",
    "true",
    "''",
    '"\\uD800"',
    '"\\0"',
]
STRANGE += ["&a 1", "*a", "!!x 1"]
WORDS = [
    "sgd",
    "adam",
    "logistic",
    "relu",
    "tanh",
    "cosine",
    "full",
    "..",
    "/dev/null",
    "Ünï",
    "\u202e",
]
VALUES = st.one_of(
    st.sampled_from([*NUMBERS, *STRANGE, *WORDS]),
    st.integers(-(10**30), 10**30).map(str),
    st.floats().map(repr),
    st.text(max_size=10),
)


@st.composite
def configs(draw):
    """A config of known keys with any values, sometimes with wrong indentation or cut off."""
    lines = ["seed: " + draw(VALUES)] if draw(st.booleans()) else []
    for name, section in SECTIONS.items():
        lines.append(f"{name}:")
        keys = draw(st.lists(st.sampled_from([*kinds(section), "other"]), max_size=4))
        lines += [
            " " * draw(st.sampled_from([2, 2, 2, 2, 1, 0])) + f"{key}: {draw(VALUES)}"
            for key in keys
        ]
    text = "\n".join(lines)
    return text[: draw(st.sampled_from([len(text), len(text), len(text) // 2]))].encode(
        "utf-8", "surrogatepass"
    )


DOCUMENTS = st.one_of(
    configs(), st.binary(max_size=100), st.text(max_size=100).map(lambda text: text.encode())
)


def cases(count, *strategies):
    """Run a check on `count` random cases, which are always the same."""

    def run(check):
        relaxed = settings(
            max_examples=count, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        relaxed(given(*strategies)(check))()

    return run


def run_checked(*arguments):
    """Run a command and require that it works, or reports an error, within 2 s of CPU time.

    Exit code 1 is only for data that is not available.
    """
    start = process_time()
    result = nnmnist(*arguments, input=b"")
    assert process_time() - start < 2
    assert result.exit_code in (0, 1, 2), result.exception
    if result.exit_code:
        assert "Traceback" not in result.stderr
        assert "internal error" not in result.stderr
        assert "Error: " in result.stderr
        assert result.stdout == ""
    return result


@counts(quick=100, slow=1500)
def test_any_document(tiny, count):
    overrides = [
        "--set",
        f"data.path={tiny.as_posix()}",
        "--set",
        "data.name=mnist",
        "--set",
        "data.validation=60",
    ]

    @cases(count, DOCUMENTS)
    def check(document):
        Path("my.yaml").write_bytes(document)
        result = run_checked("train", "-c", "my.yaml", *overrides, "--dry-run")
        assert result.exit_code in (0, 2), result.stderr
        if result.exit_code:
            for line in result.stderr.removeprefix("Error: ").splitlines():
                assert re.match(r"my\.yaml(:\d+)?: |--set ", line)
                assert line.isprintable()


FLAGS = st.one_of(
    st.tuples(
        st.sampled_from(["--seed", "--epochs", "--threads", "--set", "-c", "--resume", "-o"]),
        VALUES,
    ),
    st.tuples(st.sampled_from(["--data-dir", "--config", "--output"]), VALUES),
    st.builds(
        lambda key, value: ("--set", f"{key}={value}"), st.sampled_from([*KEYS, "x", ""]), VALUES
    ),
    st.sampled_from(
        [
            ("--json",),
            ("-q",),
            ("--force",),
            ("--resume",),
            ("--help",),
            ("--nonsense",),
            ("--",),
            ("-",),
        ]
    ),
)


@pytest.fixture
def own_threads(monkeypatch):
    """Forget what `--threads` sets."""
    monkeypatch.setattr(threads, "_state", threads._State())
    with threadpool_limits(1, "blas"):
        yield


@counts(quick=100, slow=1500)
def test_any_combination_of_flags(tiny_config, own_threads, count):
    @cases(count, st.lists(FLAGS, max_size=5))
    def check(flags):
        # A command line cannot contain null characters.
        words = [word.replace("\0", "") for flag in flags for word in flag]
        run_checked("train", "--dry-run", "-c", tiny_config, *words)
        assert not Path("runs").exists()


@counts(quick=30, slow=500)
def test_any_words_to_any_command(count):
    words = st.one_of(
        VALUES, st.sampled_from(["--json", "--test", "--top", "--split", "--data", "-", "--show"])
    )

    @cases(
        count,
        st.sampled_from(["predict", "evaluate", "data info", "config schema"]),
        st.lists(words, max_size=4),
    )
    def check(command, arguments):
        run_checked(*command.split(), *(word.replace("\0", "") for word in arguments))


LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghi")
)
BOMBS = {
    "alias bomb": LAUGHS.encode(),
    "10 MB of comment": b"#" * 10_000_000,
    "10 MB of list": b"a: [" + b"1," * 5_000_000 + b"]",
    "nested 100,000 deep": b"[" * 100_000,
    "a million braces": b"{" * 999_999,
    "a number of 900,000 digits": b"seed: " + b"9" * 900_000,
    "hidden layers of a million units": b"model: {hidden: [1000000, 1000000, 1000000]}",
    "10,000 hidden layers": b"model: {hidden: [" + b"1," * 9_900 + b"]}",
    "very many epochs": b"training: {epochs: " + b"9" * 90 + b"}",
    "wider than any memory": b"model: {hidden: [" + b"9" * 30 + b"]}",
    "900 kB of faults": b"".join(b"key%d: 1\n" % n for n in range(9_000)),
    "all bytes": bytes(range(256)) * 1000,
}
MEASURED = """
import sys
from pathlib import Path
from time import process_time
from nnmnist.cli.app import cli
cli(["train", "--dry-run", *sys.argv[1:3]], standalone_mode=False)
start = process_time()
try:
    cli(["train", "--dry-run", *sys.argv[3:]])
except SystemExit as end:
    highest = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(f"\\n[{end.code}, {process_time() - start}, {highest}]")
"""


@linux
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_needs_little_time_and_memory(tiny_config, tiny, name):
    Path("bomb.yaml").write_bytes(BOMBS[name])
    arguments = [
        "-c",
        tiny_config,
        "-c",
        "bomb.yaml",
        "--set",
        f"data={{path: {tiny.as_posix()}, validation: 60}}",
    ]
    stdout, stderr = finished(spawn(*arguments, program=("-c", MEASURED)))
    code, seconds, kilobytes = json.loads(stdout.splitlines()[-1])
    assert code in (0, 2)
    assert "Traceback" not in stderr
    assert (code == 2) == stderr.startswith("Error: bomb.yaml")
    assert seconds < 2
    assert kilobytes < 200_000


LITTLE_MEMORY = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)
from nnmnist.cli.app import main
main()
"""


@linux
def test_a_network_larger_than_the_memory_is_a_one_line_error(tiny_config):
    wide = ["--set", "model.hidden=[30000, 30000]"]
    process = spawn("train", "-c", tiny_config, "-q", *wide, program=("-c", LITTLE_MEMORY))
    _, stderr = finished(process)
    assert process.returncode == 1
    assert_one_line(stderr)
    assert stderr.startswith("Error: out of memory: ")
    assert stderr.endswith(
        "lower model.hidden or training.batch_size, or use fewer or smaller images\n"
    )


@linux
def test_images_too_large_to_distort_are_a_one_line_error():
    Path("large").mkdir()
    for part in ("train", "t10k"):
        labels = np.arange(6, dtype=np.uint8) % 2
        images = np.zeros((6, 400, 400), np.uint8)
        Path(f"large/{part}-images-idx3-ubyte").write_bytes(idx.encode(images))
        Path(f"large/{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))
    data = ["--set", "data={path: large, prepare: as_is, validation: 2, distort: true}"]
    # a small network: that of the default recipe takes seconds to make from so many inputs
    model = ["--set", "model.hidden=[4]", "--set", "training.principal_components=null"]
    process = spawn("train", *data, *model, "-q", program=("-c", LITTLE_MEMORY))
    _, stderr = finished(process)
    assert process.returncode == 1
    assert_one_line(stderr)
    assert stderr.startswith("Error: data.distort: out of memory for images of 400x400 pixels (")
    assert "use smaller images, raise data.distort.sigma, or remove data.distort" in stderr


def test_the_tested_keys_are_complete():
    assert {key.partition(".")[0] for key in KEYS} == set(kinds(Config))
