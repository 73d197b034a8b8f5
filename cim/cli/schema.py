"""cim schema: the JSON Schema of every answer."""

from __future__ import annotations

from typing import Any

from cim import messages
from cim.cli._app import answer

__all__ = ["SCHEMAS", "verb"]

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}
_CPU = {"type": "number", "minimum": 0}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}
_RUN = {
    "run": _TEXT,
    "summary": {"type": "object"},
    "balance": {"type": "object"},
    "fields": {"type": "object", "additionalProperties": _TEXT},
    "notes": {"type": "array", "items": _TEXT},
    "cpu_s": _CPU,
}
_FOUND = {
    "crs": _TEXT,
    "count": _COUNT,
    "items": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"id": _TEXT, "kind": _TEXT, "distance_m": {"type": "number"}},
            "required": ["id", "kind"],
        },
    },
}
_ACCOUNT = {"read": _COUNT, "kept": _COUNT, "repaired": _COUNT, "rejected": _COUNT}


def _said(key: str, **more: Any) -> dict[str, Any]:
    """Return a property that says in both languages what it means."""
    key = f"cli.schema.{key}"
    said = {lang: messages.text(key, {}, lang=lang) for lang in messages.LANGUAGES}
    return {"description": said["en"], "x-description-zh": said["zh"], **more}


def _flood_summary() -> dict[str, Any]:
    counts = ("links", "links_failing", "links_slowed", "links_closed", "links_not_judged")
    return {
        "type": "object",
        "properties": {
            "max_depth_m": _said("max_depth_m", type="number"),
            "streets": {
                "type": "object",
                "properties": {name: _said(name, **_COUNT) for name in counts},
            },
            "ponding": _said(
                "ponding",
                type="object",
                properties={
                    "judged": _said("ponding_judged", type="boolean"),
                    "passes": _said("ponding_passes", type=["boolean", "null"]),
                },
            ),
        },
    }


def _answer(properties: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    head = {
        "schema": {"const": "cim/1"},
        "twin_version": {"type": ["integer", "null"], "minimum": 0},
        "illustrative": {"type": "boolean"},
    }
    return {
        "type": "object",
        "properties": {**head, **properties},
        "required": [*head, *(name for name in properties if name not in optional)],
    }


def _resumed(more: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of work that a stopped one came before."""
    names = {"type": "array", "items": _TEXT}
    properties = {"files": names, "pieces": _COUNT, "changed": names, **more}
    return {"type": "object", "properties": properties, "required": [*properties]}


SCHEMAS: dict[str, dict[str, Any]] = {
    "build": _answer(
        {
            "twin": _TEXT,
            **_ACCOUNT,
            "report": _TEXT,
            "layers": _COUNTS,
            "resumed": _resumed({"rows": _COUNT}),
            "notes": {"type": "array", "items": _TEXT},
            "cpu_s": _CPU,
        }
    ),
    "update": _answer(
        {
            "changeset": {"type": ["integer", "null"]},
            "added": _COUNT,
            "changed": _COUNT,
            "removed": _COUNT,
            **_ACCOUNT,
            "resumed": _resumed({}),
            "cpu_s": _CPU,
        }
    ),
    "info": _answer(
        {
            "name": _TEXT,
            "crs": _TEXT,
            "height_datum": _TEXT,
            "origin": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
            "bounds": {"type": ["array", "null"], "items": _NUMBER},
            "layers": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "count": _COUNT,
                        "fields": {"type": "object"},
                        "filled": {"type": "object", "additionalProperties": _COUNT},
                        "illustrative": {"type": "boolean"},
                    },
                    "required": ["count", "fields", "illustrative"],
                },
            },
            "versions": {"type": "array"},
            "runs": {"type": "array"},
        }
    ),
    "about": _answer({"id": _TEXT, "kind": _TEXT}),
    "query near": _answer(_FOUND),
    "query within": _answer(_FOUND),
    "query box": _answer(_FOUND),
    "query id": _answer(_FOUND),
    "query named": _answer(_FOUND),
    "flood": _answer(
        {**_RUN, "summary": _flood_summary(), "cost": {"type": "object"}}, optional=("cost",)
    ),
    "traffic": _answer(_RUN),
    "sun": _answer(_RUN),
    "scheme": _answer(
        {
            "scheme": _TEXT,
            "edits": {"type": "array"},
            "layers": _COUNTS,
            "schemes": {"type": "array"},
            "notes": {"type": "array", "items": _TEXT},
        },
        optional=("scheme", "edits", "layers", "schemes", "notes"),
    ),
    "runs": _answer({"runs": {"type": "array", "items": {"type": "object"}}}),
    "diff": _answer({"layers": {"type": "object"}}),
    "export": _answer({"out": _TEXT, "layers": _COUNTS, "left_out": {"type": "array"}}),
    "render": _answer(
        {
            "png": _TEXT,
            "objects": _COUNT,
            "triangles": _COUNT,
            "first_frame_cpu_s": _CPU,
            "frame_cpu_s": _CPU,
        }
    ),
    "demo": _answer(
        {
            "twin": _TEXT,
            "layers": _COUNTS,
            "report": _TEXT,
            "runs": {"type": "object"},
            "pictures": {"type": "array", "items": _TEXT},
            "cpu_s": _CPU,
        }
    ),
    "reindex": _answer(
        {
            "changeset": {"type": ["integer", "null"]},
            "added": _COUNT,
            "changed": _COUNT,
            "removed": _COUNT,
        }
    ),
    "upgrade": _answer({"twin": _TEXT, "layers": _COUNTS}),
    "warm": _answer({"kernels": {"type": "object"}, "cpu_s": _CPU}),
    "schema": _answer({"answers": {"type": "object"}}),
    "error": {
        "type": "object",
        "properties": {
            "schema": {"const": "cim/1"},
            "error": {
                "type": "object",
                "properties": {
                    "type": _TEXT,
                    "key": _TEXT,
                    "message": _TEXT,
                    "given": _TEXT,
                    "remedy": _TEXT,
                },
                "required": ["type", "message", "given", "remedy"],
            },
        },
        "required": ["error"],
    },
}


def verb() -> dict[str, Any]:
    """Print the schemas."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return answer(
        None, {"answers": {name: {"$schema": dialect, **one} for name, one in SCHEMAS.items()}}
    )
