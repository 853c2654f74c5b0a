"""How well networks read photo-like pictures of MNIST's test digits, and how fast they are read:

python benchmarks/photos.py CHECKPOINT...
python benchmarks/photos.py speed CHECKPOINT
python benchmarks/photos.py CHECKPOINT... --folder FOLDER

A folder has pictures and `labels.csv` with the columns file and label. A label of several digits,
in lines separated by |, is that of a page. The letters that a file's name starts with are its kind.
"""

from __future__ import annotations

import csv
import io
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "images"))
from photos import page, photo

from nnmnist import checkpoint
from nnmnist.data import mnist
from nnmnist.data.examples import scale
from nnmnist.errors import DataError
from nnmnist.images.prepare import NoInk, prepare
from nnmnist.images.reading import read as read_image
from nnmnist.images.reading import read_many
from nnmnist.images.segment import Digit, segment, without_text
from nnmnist.model.network import Network

PHOTOS = 2000
PAGES, LINES = 20, 10
RUNS = 15  # of which the median counts
Box = tuple[int, int, int, int]  # left, top, right, bottom
Row = tuple[list[Digit], list[Box], np.ndarray]  # digits found, true boxes, true labels


def prepared(picture: np.ndarray) -> np.ndarray:
    try:
        return prepare(picture)
    except NoInk:
        return np.zeros((28, 28), np.uint8)


def read(network: Network, images: list[np.ndarray]) -> np.ndarray:
    return network.predict(scale(np.reshape(images, (len(images), 784)))).argmax(axis=1)


def rows_of_pages(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> list[Row]:
    """What is found on pages of rows of 5 to 10 digits, beside what is there."""
    rows: list[Row] = []
    for _ in range(PAGES):
        chosen = [rng.integers(0, len(images), rng.integers(5, 11)) for _ in range(LINES)]
        picture, boxes = page([images[row] for row in chosen], rng)
        found = segment(picture)
        for row, places in zip(chosen, boxes, strict=True):
            line = max(
                found, key=lambda line: sum(within(digit, box) for digit in line for box in places)
            )
            rows.append((line, places, labels[row]))
    return rows


def within(digit: Digit, box: Box) -> bool:
    """Whether the middle of the box that was found lies in the true one."""
    left, top, width, height = digit.box
    return box[0] < left + width / 2 < box[2] and box[1] < top + height / 2 < box[3]


def boxes_right(found: list[Digit], boxes: list[Box]) -> bool:
    """Whether each digit was found, in its place, and nothing else."""
    return len(found) == len(boxes) and all(map(within, found, boxes))


def kind_of(file: str) -> str:
    """The letters that the name of a file starts with: photo of single/photo_0001.png."""
    return re.match(r"[A-Za-z-]*", Path(file).name)[0].rstrip("-")


def aligned(truth: str, found: str) -> tuple[int, int, int, int]:
    """How many digits are right, misread, missed and false, where their alignment costs least."""
    # rows of (cost, right, misread, missed, false): cost, then fewer right ones negatively
    row = [(j, 0, 0, 0, j) for j in range(len(found) + 1)]
    for i, digit in enumerate(truth, start=1):
        above, row = row, [(i, 0, 0, i, 0)]
        for j, other in enumerate(found, start=1):
            cost, right, misread, missed, false = above[j - 1]
            same = digit == other
            row.append(
                min(
                    (cost + (not same), right + same, misread + (not same), missed, false),
                    (above[j][0] + 1, *above[j][1:3], above[j][3] + 1, above[j][4]),
                    (row[-1][0] + 1, *row[-1][1:4], row[-1][4] + 1),
                    key=lambda entry: entry[0],
                )
            )
    return row[-1][1:]


def score_folder(networks: dict[str, Network], folder: Path) -> None:
    """Print how many pictures of single digits are read right, by kind, and digits of pages."""
    with (folder / "labels.csv").open(newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    singles = {file: label for file, label in labels.items() if len(label) == 1}
    images = {file: picture_of(folder / file) for file in singles}
    print(f"| {folder.name} | pictures |" + "".join(f" {path} |" for path in networks))
    print("|---|---|" + "---|" * len(networks))
    kinds = sorted({kind_of(file) for file in singles})
    for name, files in [
        *((kind, [file for file in singles if kind_of(file) == kind]) for kind in kinds),
        ("all single digits", list(singles)),
    ]:
        truth = np.array([int(singles[file]) for file in files])
        rates = [
            (read(network, [images[file] for file in files]) == truth).mean()
            for network in networks.values()
        ]
        print(f"| {name} | {len(files):,} |" + "".join(f" {rate:.1%} |" for rate in rates))
    pages = {file: label.replace("|", "") for file, label in labels.items() if len(label) > 1}
    if pages:
        print_pages(networks, folder, pages)


def picture_of(path: Path) -> np.ndarray:
    """The image of a picture of one digit, empty if none is found."""
    try:
        return read_image(path, path.name).reshape(28, 28)
    except DataError:
        return np.zeros((28, 28), np.uint8)


def print_pages(networks: dict[str, Network], folder: Path, pages: dict[str, str]) -> None:
    """Print the digits of pages that are read right, misread, missed and false."""
    total = sum(map(len, pages.values()))
    cells = []
    for network in networks.values():
        counts = np.zeros(4, int)
        for file, truth in pages.items():
            found = digits_of(folder / file, network)
            text = "".join(map(str, read(network, found))) if found else ""
            counts += aligned(truth, text)
        right, misread, missed, false = counts.tolist()
        cells.append(f" {right / total:.1%}; {misread} misread, {missed} missed, {false} false |")
    print(f"| {total:,} digits on pages | {len(pages):,} |" + "".join(cells))


def digits_of(path: Path, network: Network) -> list[np.ndarray]:
    """The images of a page, with digits that touch split where the network is surest."""

    def score(images: np.ndarray) -> np.ndarray:
        return np.log(network.predict(scale(images.reshape(len(images), -1))).max(axis=1))

    try:
        lines = without_text(read_many(path, path.name, score)[1], score)
    except DataError:
        return []
    return [digit.image for line in lines for digit in line]


def seconds(call: Callable[[], object]) -> float:
    """The median of many runs, one after the other."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def speed(path: str) -> None:
    """Medians of reading small and large files, and of `predict` past what Python, NumPy and Pillow
    take to start.
    """
    picture = Image.fromarray(
        photo(mnist.load().test[0][0].reshape(28, 28), np.random.default_rng(1))
    )
    small, large = (
        encoded(picture.resize((28, 28)), "PNG"),
        encoded(picture.resize((4000, 3000)), "JPEG"),
    )

    def process(*arguments: str) -> float:
        return seconds(
            lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        )

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digit.png"
        file.write_bytes(small)
        reading = process("-m", "nnmnist", "predict", path, str(file)) - process(
            "-c", "import numpy, PIL.Image"
        )
    times = [
        seconds(lambda data=data: read_image(io.BytesIO(data), "picture"))
        for data in (small, large)
    ]
    print("| made what MNIST's digits are | ms | at most |\n|---|---|---|")
    print(f"| a 28x28 PNG, dark on light | {1e3 * times[0]:.1f} | 10 |")
    print(f"| a JPEG of 12 megapixels | {1e3 * times[1]:.1f} | 60 |")
    print(
        f"| `nnmnist predict`, past the start of Python, NumPy, Pillow | {1e3 * reading:.0f} | "
        f"400 |"
    )


def main() -> None:
    if sys.argv[1:2] == ["speed"]:
        speed(*sys.argv[2:])
        return
    arguments = sys.argv[1:]
    folder = None
    if "--folder" in arguments:
        at = arguments.index("--folder")
        folder = Path(arguments[at + 1])
        del arguments[at : at + 2]
    networks = {path: checkpoint.load(path).network for path in arguments}
    if folder:
        score_folder(networks, folder)
        return
    images, labels = mnist.load().test
    images = images.reshape(-1, 28, 28)
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(images))[:PHOTOS]
    names = (
        "as they are in MNIST",
        "photo-like, prepared",
        "photo-like, inverted and resized to 28x28",
    )
    inputs: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for i in chosen:
        picture = photo(images[i], rng)
        resized = 255 - np.asarray(Image.fromarray(picture).resize((28, 28)))
        for name, image in zip(names, (images[i], prepared(picture), resized), strict=True):
            inputs[name].append(image)
    rows = rows_of_pages(images, labels, rng)
    print(
        f"| {PHOTOS:,} digits of the test set |"
        + "".join(f" {path} |" for path in networks)
        + "\n|---|"
        + "---|" * len(networks)
    )
    for name, given in inputs.items():
        rates = [(read(network, given) == labels[chosen]).mean() for network in networks.values()]
        print(f"| {name} |" + "".join(f" {rate:.1%} |" for rate in rates))
    segmented = [row for row in rows if boxes_right(row[0], row[1])]
    print(
        f"| {len(rows)} rows of 5 to 10 digits, found |"
        + f" {len(segmented) / len(rows):.1%} |" * len(networks)
    )
    right = [
        sum(
            (read(network, [digit.image for digit in found]) == truth).all()
            for found, _, truth in segmented
        )
        for network in networks.values()
    ]
    print("| of them read without a mistake |" + "".join(f" {n / len(rows):.1%} |" for n in right))


if __name__ == "__main__":
    main()
