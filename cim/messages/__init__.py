"""Every text a person reads, by key, in English and Chinese.

A TOML file beside this module holds one table per key::

    [source.no_crs]
    en = "{given} does not say which coordinate system it is in."
    zh = "{given} 没有说明坐标系。"
    do_en = "Pass --crs EPSG:n, or write one into the file."
    do_zh = "请传入 --crs EPSG:n，或在文件中写明。"

``en`` and ``zh`` say what is the case; ``do_en`` and ``do_zh`` what to do.
Packages above ``cim`` add a file of their own with `add`.
"""

from __future__ import annotations

import os
import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["LANGUAGES", "add", "keys", "language", "remedy", "set_language", "text", "title"]

LANGUAGES = ("en", "zh")

_files: list[Path] = sorted(Path(__file__).parent.glob("*.toml"))
_chosen: list[str] = []


def add(path: Path) -> None:
    """Add the texts of `path`, a TOML file of another package of the house."""
    if path not in _files:
        _files.append(path)
        _table.cache_clear()


def language() -> str:
    """Return the language in force: set by the program, else ``CIM_LANG``, else English."""
    if _chosen:
        return _chosen[-1]
    wanted = os.environ.get("CIM_LANG", "en").lower()[:2]
    return wanted if wanted in LANGUAGES else "en"


def set_language(lang: str | None) -> None:
    """Choose the language for this process; None goes back to ``CIM_LANG``.

    Raises
    ------
    ValueError
        `lang` is not one of `LANGUAGES`.
    """
    if lang is not None and lang not in LANGUAGES:
        raise ValueError(f"language {lang!r} is not one of {', '.join(LANGUAGES)}")
    _chosen.clear()
    if lang is not None:
        _chosen.append(lang)


def keys() -> dict[str, dict[str, str]]:
    """Return every key with its texts: ``{key: {"en": …, "zh": …, "do_en": …}}``."""
    return dict(_table())


def text(key: str, values: Mapping[str, object] | None = None, *, lang: str | None = None) -> str:
    """Return the text of `key` in `lang`, its placeholders filled from `values`.

    Raises
    ------
    KeyError
        No such key: every text a person reads must stand in a table.
    """
    return _fill(_table()[key][lang or language()], values or {})


def remedy(key: str, values: Mapping[str, object] | None = None, *, lang: str | None = None) -> str:
    """Return what to do about `key`; empty where the text itself says it all."""
    return _fill(_table()[key].get(f"do_{lang or language()}", ""), values or {})


def title(titles: Mapping[str, str], *, lang: str | None = None) -> str:
    """Return the entry of a two-language title such as ``{"en": "depth", "zh": "水深"}``."""
    wanted = lang or language()
    return titles.get(wanted) or titles.get("en") or next(iter(titles.values()), "")


@cache
def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for path in _files:
        with path.open("rb") as file:
            for key, texts in _flatten(tomllib.load(file), ""):
                if key in table:
                    raise ValueError(f"message key {key} stands twice (again in {path.name})")
                table[key] = texts
    return table


def _flatten(node: Mapping[str, object], prefix: str) -> list[tuple[str, dict[str, str]]]:
    if "en" in node:
        return [(prefix, {name: str(value) for name, value in node.items()})]
    found: list[tuple[str, dict[str, str]]] = []
    for name, child in node.items():
        if not isinstance(child, Mapping):
            raise ValueError(f"message table {prefix or '(top)'} holds a bare value {name!r}")
        found += _flatten(child, f"{prefix}.{name}" if prefix else name)
    return found


class _Lenient(string.Formatter):
    """Leaves a placeholder without a value as it stands rather than hiding the error."""

    def get_value(self, key: int | str, args: object, kwargs: Mapping[str, object]) -> object:  # type: ignore[override]
        return kwargs.get(str(key), f"{{{key}}}")


def _fill(template: str, values: Mapping[str, object]) -> str:
    return _Lenient().vformat(template, (), dict(values))
