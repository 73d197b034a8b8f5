"""Make the font of pictures: Noto Sans CJK SC, cut down to the characters of GB 2312.

``python scenes/fonts/make.py NotoSansCJK-Regular.ttc`` writes ``NotoSansSC-subset.otf``
beside this file. Needs fonttools. The licence of the font stands in ``OFL.txt``.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["characters", "make"]


def characters() -> str:
    """Return ASCII, Latin-1, superscripts, CJK punctuation and all hanzi of GB 2312."""
    wanted = {chr(c) for c in (*range(0x20, 0x7F), *range(0xA0, 0x100))}
    wanted |= set("–—‘’“”…‰′″℃→←↑↓≤≥≈±×÷·•²³₂示意数据")
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                wanted.add(bytes([high, low]).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return "".join(sorted(wanted))


def make(collection: Path, out: Path) -> None:
    """Write the subset of the Simplified Chinese face of a font collection."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTCollection

    faces = TTCollection(str(collection)).fonts
    face = next(f for f in faces if f["name"].getDebugName(4) == "Noto Sans CJK SC")
    options = Options(layout_features=["kern"], hinting=False, desubroutinize=True)
    subsetter = Subsetter(options)
    subsetter.populate(text=characters())
    subsetter.subset(face)
    face.save(str(out))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(__file__).with_name("NotoSansSC-subset.otf"))
