"""A scene becomes one HTML file that needs no network: our own viewer, its data inside.

The data are one gzip stream in base64: a JSON header, then plain arrays that go to the
graphics card as they are. The page forbids itself every connection.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes.compose import compose
from scenes.files import whole
from scenes.moments import blank, chosen_field
from scenes.page_answers import answers, frames
from scenes.page_blob import Blob
from scenes.page_bodies import bodies, layers
from scenes.page_header import header, legends, moments_of
from scenes.parts import objects_of
from scenes.remarks import stale
from scenes.scene import Scene
from scenes.typeface import cut_font
from scenes.within import within

__all__ = ["PageReport", "write_html"]

_VIEWER = Path(__file__).parent / "viewer"
_MOST_CUTS = 6


@dataclass(frozen=True)
class PageReport:
    """What the page holds.

    Attributes
    ----------
    html
        The file written.
    size_mb
        Its size.
    objects, triangles
        How many are drawn.
    moments, moments_of_run
        How many times of the run can be shown, and how many it has.
    not_pickable
        Layers on the ground with too many corners to answer a click.
    labels_left_out
        Names beyond the 300 a page shows.
    failed
        Layers that could not be drawn, and why.
    missing_images
        Textures that could not be had; what should wear them is plaster grey.
    inside
        Ids of the bodies the first view stands in, such as a wall.
    stale
        Whether the run answers another version of the city than the one drawn.
    hidden
        Blocks of the map left out since a house drawn from its elements stands there, and which.
    """

    html: str
    size_mb: float
    objects: int
    triangles: int
    moments: int
    moments_of_run: int
    not_pickable: tuple[str, ...]
    labels_left_out: int
    failed: dict[str, str]
    missing_images: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    stale: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


def write_html(
    scene: Scene, view: TwinView, result: Result | None = None, *, path: Path, job: Job = QUIET
) -> PageReport:
    """Write a scene as one HTML file for any browser with WebGL 2; no network, no server.

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`. A run's times get a slider, at most 48 of them.
    path
        The file; it is there whole or not at all.
    job
        Who listens.

    Raises
    ------
    RequestError
        The twin is empty, or the scene has more than six cuts.
    StoreError
        The file cannot be written.
    CancelledError
        The job was cancelled; no file is left.
    """
    if len(scene.clip) > _MOST_CUTS:
        values = {"most": _MOST_CUTS}
        raise RequestError("scenes.page_cuts", given=len(scene.clip), values=values)
    with whole(path) as partial:
        job.step(0, 4, what="scenes.page")
        shown = None if result is None else blank(result, chosen_field(result, scene.field))
        picture = compose(scene, view, shown)
        job.step(1, 4, what="scenes.page")
        blob = Blob()
        objects = objects_of(scene, view, picture)
        head = header(scene, view, result, picture)
        head |= bodies(blob, picture, objects)
        head |= answers(blob, picture, objects)
        over_time = None
        if result is not None:
            over_time = frames(blob, scene, view, result, picture, objects, job)
            head |= {"frames": over_time, "legend": legends(scene, result)}
            moments_of(head["bookmarks"], over_time["times_s"])
        head["legend"] = head["legend"] if scene.legend else None
        head["layers"] = layers(picture, objects, with_result=result is not None)
        job.step(3, 4, what="scenes.page")
        partial.write_text(_page(head, blob), encoding="utf-8")
        job.step(4, 4, what="scenes.page")
    times = None if result is None else result.times_s
    shown_moments = 0 if over_time is None else len(over_time["labels"])
    return PageReport(
        html=str(path),
        size_mb=round(path.stat().st_size / 1e6, 2),
        objects=picture.objects,
        triangles=picture.triangles,
        moments=shown_moments,
        moments_of_run=len(times) if shown_moments and times is not None else 0,
        not_pickable=head["not_pickable"],
        labels_left_out=len(picture.labels) - len(head["labels"]),
        failed=picture.failed,
        missing_images=picture.missing_images,
        inside=within(picture, picture.camera.position),
        stale=stale(view, result),
        hidden=picture.hidden,
    )


def _page(header: Mapping[str, Any], blob: Blob) -> str:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    head = text.encode()
    data = len(head).to_bytes(4, "little") + head
    data += b"\0" * (-len(data) % 4) + b"".join(blob.pieces)
    script = (_VIEWER / "viewer.js").read_text(encoding="utf-8")
    lang = header["lang"]
    filled = (_VIEWER / "page.html").read_text(encoding="utf-8")
    for mark, value in {
        "@LANG@": lang,
        "@TITLE@": html.escape(header["title"][lang]),
        "@FONT@": base64.b64encode(cut_font(text + script)).decode(),
        "@CSS@": (_VIEWER / "viewer.css").read_text(encoding="utf-8"),
        "@JS@": script,
        "@DATA@": base64.b64encode(gzip.compress(data, 6, mtime=0)).decode(),
    }.items():
        filled = filled.replace(mark, value, 1)
    return filled
