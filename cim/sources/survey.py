"""A first pass over all rows of a vector file: what can only be said of it as a whole.

The verdicts (which objects lie elsewhere, which column numbers them, whether heights are
millimetres) then govern each piece as it is read, so that a file of any length is read in
the memory of a piece and gives the same, whatever the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box
from cim.errors import CimError, SourceError
from cim.jobs import Job
from cim.model.kinds import kind
from cim.sources.columns import Rows
from cim.sources.opening import Format
from cim.sources.place import middle_box, named
from cim.sources.report import Report
from cim.sources.rows import Texts, row_pieces
from cim.sources.shapes import Checked, Far, check_before, far_of, reject_far
from cim.sources.spec import LayerSpec
from cim.sources.whole import Whole

__all__ = ["AT_ONCE", "Piece", "Survey", "checked_pieces", "survey"]

AT_ONCE = 50_000
"""Rows of a piece: the unit of reading, of keeping and of going on."""

_HELD = 2  # pieces of a file that is not read a second time

Piece = Callable[[], tuple[Rows, Checked]]


@dataclass
class Survey:
    """What the first pass found.

    Attributes
    ----------
    spec
        The file, its kind settled.
    count, pieces
        Its rows, and in how many pieces they come.
    crs, stated
        What the file says of itself, see `Rows`.
    whole, texts, far
        Verdicts for the pieces.
    boxes
        (n, 4) of the good objects, until `settle` has judged them.
    notes, dropped
        Of the geometry; columns of a type that no table holds.
    rejected, first
        How many rows are rejected already, and why the first of them is.
    held
        The pieces of a short file, else none.
    fault
        Of the attributes; raised when it is their turn.
    plan
        What the reader of the format wants to know again.
    """

    spec: LayerSpec
    count: int = 0
    pieces: int = 0
    crs: str | None = None
    stated: bool = False
    whole: Whole = field(default_factory=Whole)
    texts: frozenset[str] = frozenset()
    far: Far | None = None
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    rejected: int = 0
    first: tuple[int, tuple[str, dict[str, Any]]] | None = None
    held: list[tuple[Rows, Checked]] = field(default_factory=list)
    fault: CimError | None = None
    plan: dict[str, Any] = field(default_factory=dict)

    def settle(self, *, geographic: bool) -> Box | None:
        """Judge what lies elsewhere; return the box of the middle of the rest."""
        self.far = far_of(self.boxes, geographic=geographic)
        boxes, self.boxes = self.boxes, np.empty((0, 4))
        for _, checked in self.held:
            reject_far(checked, self.far)
        if self.far is not None:
            boxes = boxes[~self.far.beyond(boxes)]
        return middle_box(boxes) if len(boxes) else None

    def judge(self) -> None:
        """Raise what was found at fault with the attributes."""
        try:
            if self.fault is not None:
                raise self.fault
            self.whole.judge(self.spec)
            self.notes |= self.whole.notes(self.spec)
        except CimError as error:
            file = self.spec.file.name
            raise error if file in str(error.values) else named(error, file) from error


def survey(
    spec: LayerSpec,
    found: Format,
    settle: Callable[[Rows], LayerSpec],
    *,
    report: Report,
    job: Job,
) -> Survey:
    """Look at all rows of a file.

    Parameters
    ----------
    spec, found
        The file.
    settle
        Returns the specification with its kind, from the first rows.
    report
        Where the file's oddities are said.
    job
        Cancel.

    Raises
    ------
    SourceError
        The file cannot be read, its texts were decoded wrongly, or it has no row.
    """
    import shapely

    done = Survey(spec)
    texts, types = Texts(), dict[str, set[str]]()
    boxes: list[NDArray[np.float64]] = []
    for number, piece in enumerate(
        row_pieces(spec, found, report, "", at_once=AT_ONCE, plan=done.plan)
    ):
        job.step(0, 1, what="source.looking")
        rows = piece()
        if number == 0:
            done.spec = settle(rows)
            done.crs, done.stated, done.dropped = rows.crs, rows.stated, rows.dropped
        elif done.crs != rows.crs:  # tables whose texts state different systems
            done.crs, done.stated = None, False
        what = kind(str(done.spec.kind))
        texts.gather(rows)
        for name, column in rows.columns.items():
            types.setdefault(name, set()).add(column.type)
        checked = check_before(rows.wkb, carrier=what.carrier)
        boxes.append(shapely.bounds(checked.shapes[checked.good]))
        if done.fault is None:
            try:
                done.whole.gather(rows, done.spec, what)
            except CimError as error:
                done.fault = error
        if checked.rejected and done.first is None:
            row = min(checked.rejected)
            done.first = (done.count + row, checked.rejected[row])
        done.notes |= checked.notes
        done.rejected += len(checked.rejected)
        done.count += len(rows.wkb)
        done.held = [*done.held, (rows, checked)] if number < _HELD else []
        done.pieces = number + 1
    if done.count == 0:
        raise SourceError("source.no_features", given=spec.file.name)
    done.texts = frozenset(name for name, some in types.items() if some == {"integer", "text"})
    named_texts = [n for n, some in types.items() if some == {"text"} or n in done.texts]
    texts.judge(named_texts, spec, report, "")
    if done.texts:
        done.held = []
    done.boxes = np.concatenate(boxes)
    return done


def checked_pieces(done: Survey, found: Format) -> Iterator[Piece]:
    """Yield the pieces of a file with their geometry judged, as far as that needs no metres."""
    if done.held:
        yield from (lambda held=held: held for held in done.held)  # type: ignore[misc]
        return
    carrier = kind(str(done.spec.kind)).carrier

    def judged(piece: Callable[[], Rows]) -> tuple[Rows, Checked]:
        rows = piece()
        checked = check_before(rows.wkb, carrier=carrier)
        reject_far(checked, done.far)
        return rows, checked

    for piece in row_pieces(
        done.spec, found, Report(), "", at_once=AT_ONCE, texts=done.texts, plan=done.plan
    ):
        yield lambda piece=piece: judged(piece)  # type: ignore[misc]
