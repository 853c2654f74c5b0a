"""The class of one picture: `nnmnist.predict`."""

from __future__ import annotations

import base64
import html
import io
import warnings
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from nnmnist.checkpoint import Checkpoint, load
from nnmnist.errors import CheckpointError, printable
from nnmnist.evaluation.records import prediction_record
from nnmnist.images import reading
from nnmnist.images.preparation import Preparation, from_document
from nnmnist.types import Array, require_type

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 3  # classes beside the image in a notebook
SCALE = 4  # pixels of a screen for a pixel of the image


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network predicts for a picture. A notebook shows it with the prepared image.

    Attributes:
        label: the predicted class, as a number if it is called by one.
        probability: the probability of this class.
        probabilities: that of every class, the most probable first. With a squared error, these are
            scores, which may lie outside [0, 1].
        image: (rows, columns) uint8, the picture as the network takes it, before any normalization.
    """

    label: int | str
    probability: float
    probabilities: dict[int | str, float] = field(repr=False)
    image: Array = field(repr=False)

    def _repr_html_(self) -> str:
        """The image, the prediction and the best classes, as a notebook shows them."""
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(self.image).save(file, "PNG")
        png = base64.b64encode(file.getvalue()).decode()
        width, label = SCALE * self.image.shape[1], html.escape(str(self.label))
        lines = "<br>".join(
            f"{html.escape(str(name))} &ensp; {p:.4f}"
            for name, p in islice(self.probabilities.items(), SHOWN)
        )
        return (
            '<div style="display:flex;align-items:center;gap:1em">'
            f'<img alt="the prepared image" width={width} style="image-rendering:pixelated" '
            f'src="data:image/png;base64,{png}">'
            f'<b style="font-size:3em">{label}</b><div>{lines}</div></div>'
        )


def predict(
    checkpoint: Checkpoint | Path | str, picture: Path | str | Image | ArrayLike
) -> Prediction:
    """Predict the digit in a picture, as the command `nnmnist predict` does.

    Photos and scans may have any size, and be dark on light or light on dark: the picture is
    prepared as the training images of the network were. If it shows several digits, a warning says
    so.

    Args:
        checkpoint: an .npz file, a run directory, or what `nnmnist.load` returns.
        picture: the path of an image; a Pillow image; or an array (rows, columns), or (rows,
            columns, 3 or 4) in colour, of integers from 0 to 255 or numbers from 0 to 1. A large
            JPEG that is given by its path is decoded at a fraction of its size, so the pixels of
            the same JPEG opened by Pillow may differ a little.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is not of a classifier of images.
        DataError: the picture cannot be read, or shows nothing.
        TypeError, ValueError: an argument is of another kind; the message says what is expected.
    """
    if isinstance(checkpoint, (str, PathLike)):
        name, model = str(checkpoint), load(checkpoint)
    else:
        expected = "a path, or what nnmnist.load returns"
        require_type("checkpoint", checkpoint, Checkpoint, expected)
        name, model = "checkpoint", checkpoint
    preparation = preparation_of(name, model)
    notices: list[str] = []
    if isinstance(picture, (str, PathLike)):
        file = Path(picture).expanduser()
        pixels = reading.read(file, printable(str(file), 1000), preparation, notices.append)
    else:
        pixels = reading.take(picture, "picture", preparation, notices.append)
    for notice in notices:
        warnings.warn(notice, stacklevel=2)
    record = prediction_record(model.network, pixels, model.classes, len(model.classes))
    return Prediction(
        record["prediction"],
        record["probability"],
        {entry["label"]: entry["probability"] for entry in record["top"]},
        pixels.reshape(preparation.shape),
    )


def preparation_of(name: Path | str, model: Checkpoint) -> Preparation:
    """How a picture becomes the input of a network.

    Raises CheckpointError, which calls the checkpoint `name`, if the network takes none.
    """
    preparation = from_document(model.document)
    if preparation is None and "image_shape" in model.document:
        n = model.network.sizes[0]
        raise CheckpointError(
            f"{name}: takes {n} number{'s' * (n > 1)}, not images; "
            "`nnmnist evaluate` tests it on its data"
        )
    if preparation is None:
        raise CheckpointError(
            f"{name}: does not state the shape of its images; save it with "
            "{'image_shape': [rows, columns]}"
        )
    if not model.classes:
        raise CheckpointError(f"{name}: is a regression, and predict needs a classifier")
    return preparation
