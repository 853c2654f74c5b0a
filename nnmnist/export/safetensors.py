"""The parameters W1, b1, W2, ... as safetensors, which any framework loads without running code."""

from __future__ import annotations

import numpy as np

from nnmnist.checkpoint import Checkpoint
from nnmnist.errors import MissingLibrary
from nnmnist.export.card import card


def encode(checkpoint: Checkpoint) -> bytes:
    """W (n_out, n_in) and b (n_out,) of each layer in C order, with the card in the metadata.

    Raises:
        MissingLibrary: safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise MissingLibrary(
            "this format needs the library safetensors: pip install 'nnmnist[safetensors]'"
        ) from None
    arrays = {name: np.ascontiguousarray(a) for name, a in checkpoint.network.parameters().items()}
    return save(arrays, {"nnmnist": card(checkpoint)})
