"""The shipped font, cut down to the characters a page shows."""

from __future__ import annotations

import io

from cim.errors import MissingError
from scenes import overlay

__all__ = ["cut_font"]


def cut_font(text: str) -> bytes:
    """Return the shipped font (OpenType) cut down to the characters of a text and plain ASCII.

    Raises
    ------
    MissingError
        fontTools or the font file is not there.
    """
    try:
        from fontTools.subset import Options, Subsetter
        from fontTools.ttLib import TTFont
    except ImportError as error:
        raise MissingError("scenes.no_viewer", given="fonttools") from error
    try:
        face = TTFont(str(overlay.FONT), recalcTimestamp=False)
    except OSError as error:
        raise MissingError("scenes.no_font", given=overlay.FONT.name) from error
    subsetter = Subsetter(Options(layout_features=["kern"], hinting=False))
    subsetter.populate(text=text + "".join(map(chr, range(0x20, 0x7F))))
    subsetter.subset(face)
    out = io.BytesIO()
    face.save(out)
    return out.getvalue()
