"""The arrays of a page, one after another, and pictures in the codes browsers read."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blob", "Reference", "drawn", "encoded", "upright"]

_SMALL_PX = 64  # a drawn pattern is no larger

Reference = tuple[str, int, int]
"""Kind, first byte and number of values of an array."""


@dataclass
class Blob:
    """Arrays one after another, each at a multiple of four bytes."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, values: NDArray[Any] | bytes) -> Reference:
        """Append an array and return where it lies."""
        array = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values
        name = {"f": "f4", "i": "u4", "u": "u4"}[array.dtype.kind]
        name = "u1" if array.dtype == np.uint8 else name
        data = np.ascontiguousarray(array, dtype="<" + name).tobytes()
        reference = (name, self.size, array.size)
        padded = data + b"\0" * (-len(data) % 4)
        self.pieces.append(padded)
        self.size += len(padded)
        return reference


def encoded(image: NDArray[np.uint8] | None, *, lossless: bool = False) -> bytes:
    """Return an image (h, w, 3 or 4) as WebP, or as PNG where every pixel counts."""
    from PIL import Image

    assert image is not None
    out = io.BytesIO()
    if lossless:
        Image.fromarray(image).save(out, "PNG", optimize=True)
    else:
        Image.fromarray(image).save(out, "WEBP", quality=86, method=3)
    return out.getvalue()


def drawn(image: NDArray[np.uint8] | None) -> bool:
    """Tell a small drawn pattern, kept to the pixel, from a photograph."""
    return image is not None and max(image.shape) <= _SMALL_PX


def upright(uv: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return texture coordinates that count from the top of the picture, as WebGL loads it."""
    assert uv is not None
    return np.column_stack([uv[:, 0], 1.0 - uv[:, 1]]).astype(np.float32).ravel()
