"""How well a network reads photo-like pictures of MNIST's test digits:  python benchmarks/photos.py CHECKPOINT"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))
from photos import photo

from nnmnist import checkpoint
from nnmnist.data import mnist
from nnmnist.data.examples import scale
from nnmnist.data.prepare import NoInk, prepare

N = 2000


def prepared(picture: np.ndarray) -> np.ndarray:
    try:
        return prepare(picture)
    except NoInk:
        return np.zeros((28, 28), np.uint8)


def main() -> None:
    network = checkpoint.load(sys.argv[1]).network
    images, labels = mnist.load().test
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(images))[:N]
    digits, labels = images[chosen].reshape(-1, 28, 28), labels[chosen]
    pictures = [photo(digit, rng) for digit in digits]
    resized = [255 - np.asarray(Image.fromarray(picture).resize((28, 28))) for picture in pictures]
    print(f"| {N:,} digits of the test set | read rightly |\n|---|---|")
    for name, inputs in (
        ("as they are in MNIST", digits),
        ("photo-like, prepared", [prepared(picture) for picture in pictures]),
        ("photo-like, inverted and resized to 28x28", resized),
    ):
        p = network.predict(scale(np.reshape(inputs, (N, 784))))
        print(f"| {name} | {(p.argmax(axis=1) == labels).mean():.1%} |")


if __name__ == "__main__":
    main()
