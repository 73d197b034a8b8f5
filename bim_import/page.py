"""The report of one IFC file as a page of its own: both languages, no network."""

from __future__ import annotations

import base64
import html
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bim_import.embedding import font_for
from cim import messages
from cim.errors import CimError, StoreError

__all__ = ["report_page", "write_page"]

_STYLE = """
body{font:15px/1.5 "cim",system-ui,"Noto Sans CJK SC",sans-serif;max-width:68rem;margin:2rem auto;
padding:0 1rem;color:#1d2733;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #c9d2dc}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e3e8ee;vertical-align:top}
td{overflow-wrap:anywhere;min-width:3.5rem}
th{font-weight:600;word-break:keep-all;min-width:4em}
figure{margin:1rem 0}img{width:100%;border:1px solid #c9d2dc}
figcaption{color:#5a6672;font-size:.9rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.pairs{width:auto}.pairs th{padding-right:2rem}
.bad{color:#a3241b}.wide{overflow-x:auto}
button{float:right;font:inherit;padding:.2rem .8rem}
body.en [lang=zh],body.zh [lang=en]{display:none}
"""
_SWITCH = "document.body.className=document.body.className=='en'?'zh':'en'"
_OUTCOMES = ("exact", "fallback", "box", "none_by_design", "missing")


class _Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def write_page(
    record: Mapping[str, Any], path: Path, *, name: str, picture: bytes | CimError | None = None
) -> None:
    """Write the report of the file `name`; the page is there whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    text = report_page(record, name=name, picture=picture)
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(partial).replace(path)
    except OSError as error:
        values = {"reason": error.strerror or str(error)}
        raise StoreError("bim.page_unwritable", given=str(path), values=values) from error


def report_page(
    record: Mapping[str, Any], *, name: str, picture: bytes | CimError | None = None
) -> str:
    """Return the page of a record made with ``shells``.

    Parameters
    ----------
    record
        From `reporting.ifc_report`.
    name
        Name of the file.
    picture
        The placed model as PNG, or why there is none.
    """
    parts = [
        _picture(picture), _summary(record), _placement(record["placement"]), _shells(record),
        _quantities(record), _networks(record), _skipped(record), _classes(record),
    ]  # fmt: skip
    title = html.escape(name)
    body = (
        f'<button onclick="{_SWITCH}">中文 / English</button>'
        f"<h1>{_both('bim.page.title')} · {title}</h1>" + "".join(parts)
    )
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_face(body)}{_STYLE}</style></head><body class='{messages.language()}'>"
        f"{body}</body></html>\n"
    )


def _face(body: str) -> str:
    """Return the rule that embeds a font with the characters of the page, where there is one."""
    font = font_for(body)
    if font is None:
        return ""
    data = base64.b64encode(font).decode()
    return f'@font-face{{font-family:"cim";src:url(data:font/otf;base64,{data})}}'


def _picture(picture: bytes | CimError | None) -> str:
    if picture is None:
        return ""
    if isinstance(picture, CimError):
        why = "".join(
            f'<span lang="{lang}">{html.escape(picture.message(lang))} '
            f"{html.escape(picture.remedy(lang))}</span>"
            for lang in messages.LANGUAGES
        )
        return _section("picture", f"<p>{why}</p>")
    data = base64.b64encode(picture).decode()
    return (
        f'<figure><img alt="" src="data:image/png;base64,{data}">'
        f"<figcaption>{_both('bim.page.picture')}</figcaption></figure>"
    )


def _both(key: str, values: Mapping[str, Any] | None = None) -> _Markup:
    """Return the text of a key in both languages, one of them hidden."""
    return _Markup("".join(
        f'<span lang="{lang}">{html.escape(messages.text(key, values, lang=lang))}</span>'
        for lang in messages.LANGUAGES
    ))  # fmt: skip


def _remedy(key: str, values: Mapping[str, Any]) -> _Markup:
    return _Markup("".join(
        f'<span lang="{lang}"> {html.escape(messages.remedy(key, values, lang=lang))}</span>'
        for lang in messages.LANGUAGES
    ))  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, _Markup):
        return f"<td>{value}</td>"
    if isinstance(value, bool):
        return f"<td>{_both('bim.page.yes' if value else 'bim.page.no')}</td>"
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="n">{value:,.3f}</td>'
    return f"<td>{html.escape('–' if value is None else str(value))}</td>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_both(f'bim.page.{one}')}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _section(key: str, *parts: str) -> str:
    return f"<h2>{_both(f'bim.page.{key}')}</h2>" + "".join(parts)


def _pairs(rows: Iterable[tuple[str, Any]]) -> str:
    return (
        '<table class="pairs">'
        + "".join(f"<tr><th>{_both(f'bim.page.{k}')}</th>{_cell(v)}</tr>" for k, v in rows)
        + "</table>"
    )


def _summary(record: Mapping[str, Any]) -> str:
    spatial = record["spatial"]
    pairs: list[tuple[str, Any]] = [
        ("schema", record["schema_ifc"]), ("read_as", record["read_as"]),
        ("unit", record["unit_m"]), ("products", record["products"]),
        *((f"outcome_{name}", record["outcomes"][name]) for name in _OUTCOMES),
        *((name, spatial[name]) for name in ("sites", "buildings", "storeys", "spaces")),
        ("property_sets", record["property_sets"]), ("triangles", record["triangles"]),
        ("meshes", record["unique_meshes"]),
    ]  # fmt: skip
    if record["solids"] is not None:
        pairs += [("solids_closed", record["solids"]["closed"]),
                  ("solids_open", record["solids"]["open"])]  # fmt: skip
    note = f"<p>{_both('bim.page.illustrative')}</p>" if record.get("illustrative") else ""
    return _section("what_came", note, _pairs(pairs))


def _placement(place: Mapping[str, Any]) -> str:
    pairs: list[tuple[str, Any]] = [("decided", bool(place["decided"]))]
    if place["decided"]:
        pairs += [
            ("crs", place["crs"]), ("height_datum", place["height_datum"]),
            ("easting", place["easting_m"]), ("northing", place["northing_m"]),
            ("height", place["height_m"]), ("rotation", place["rotation_deg"]),
            ("scale", place["scale"]), ("confidence", place["confidence"]),
        ]  # fmt: skip
    else:
        pairs += [(name, _told(place["told"], name)) for name in ("reason", "remedy")]
    rows = [
        [e["what"], e["how"], e["value"], e["fits"], bool(e["used"])] for e in place["evidence"]
    ]
    heads = ("evidence", "reading", "value", "fits", "used")
    return _section("where", _pairs(pairs), _table(heads, rows) if rows else "")


def _told(told: Mapping[str, Any], name: str) -> _Markup:
    return _Markup("".join(
        f'<span lang="{lang}">{html.escape(told[lang][name])}</span>' for lang in messages.LANGUAGES
    ))  # fmt: skip


def _shells(record: Mapping[str, Any]) -> str:
    rows = record["shells"] or []
    heads = ("building", "kept", "closed", "volume", "enclosed", "cell", "footprint",
             "roof_outline", "eaves", "flags")  # fmt: skip
    names = ("name", "kept", "closed", "volume_m3", "enclosed_m3", "cell_m", "footprint_m2",
             "roof_outline_m2", "height_m")  # fmt: skip
    table = _table(heads, ([*(one[n] for n in names), _flags(one)] for one in rows))
    return _section("shells", table if rows else f"<p>{_both('bim.page.nothing')}</p>")


def _flags(shell: Mapping[str, Any]) -> _Markup:
    values = {"name": shell["name"]}
    texts = [
        f'<div class="bad">{_both(f"bim.shell_{flag}", values)}'
        f"{_remedy(f'bim.shell_{flag}', values)}</div>"
        for flag in shell["flags"]
    ]
    return _Markup("".join(texts) or "–")


def _quantities(record: Mapping[str, Any]) -> str:
    found = record["quantities"]
    if not found or not found["compared"]:
        return _section("quantities", f"<p>{_both('bim.page.no_quantities')}</p>")
    counts = {"compared": found["compared"], "within": found["within_1_pct"]}
    kinds = [
        [one["ifc_class"], one["quantity"], one["compared"], one["within_1_pct"],
         one["median_off_pct"], one["most_off_pct"]]
        for one in found["quantities"]
    ]  # fmt: skip
    apart = [
        [r["ifc_class"], r["name"], r["quantity"], r["file"], r["model"], r["off_pct"]]
        for r in found["rows"] if abs(r["off_pct"]) > 1.0
    ]  # fmt: skip
    parts = [
        f"<p>{_both('bim.page.compared_text', counts)}</p>",
        _table(("class", "quantity", "compared", "within_1_pct", "median_off", "most_off"), kinds),
    ]
    if apart:
        parts.append(f"<h3>{_both('bim.page.apart')}</h3>")
        heads = ("class", "name", "quantity", "by_file", "by_geometry", "off")
        parts.append(_table(heads, apart))
    return _section("quantities", *parts)


def _networks(record: Mapping[str, Any]) -> str:
    counts = record["networks"]
    return _section("networks", _pairs(counts.items())) if any(counts.values()) else ""


def _skipped(record: Mapping[str, Any]) -> str:
    counts = [(n, record[n]) for n in ("damaged", "duplicated_guids") if record[n]]
    rows = [
        [one["class"], one["name"], one["guid"], _both(f"bim.page.outcome_{one['outcome']}"),
         one["why"]]
        for one in record["not_exact"]
    ]  # fmt: skip
    if not counts and not rows:
        return _section("skipped", f"<p>{_both('bim.page.nothing_lost')}</p>")
    heads = ("class", "name", "guid", "outcome", "why")
    return _section(
        "skipped", _pairs(counts) if counts else "", _table(heads, rows) if rows else ""
    )


def _classes(record: Mapping[str, Any]) -> str:
    return _section("classes", _table(("class", "count"), record["classes"].items()))
