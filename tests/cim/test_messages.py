"""Every text a person reads exists in both languages, with the same placeholders."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bim_import  # noqa: F401 - adds its texts
import scenes  # noqa: F401 - adds its texts
from cim import messages
from cim.errors import CimError, SourceError

ROOT = Path(__file__).resolve().parents[2]
HOLES = re.compile(r"{(\w+)[^}]*}")
HANZI = re.compile(r"[一-鿿]")


@pytest.mark.parametrize("key", sorted(messages.keys()))
def test_a_text_stands_in_both_languages_with_the_same_placeholders(key: str) -> None:
    texts = messages.keys()[key]
    assert set(texts) in ({"en", "zh"}, {"en", "zh", "do_en", "do_zh"}), texts
    for english, chinese in (("en", "zh"), ("do_en", "do_zh")):
        if english in texts:
            assert texts[english].strip() and texts[chinese].strip()
            assert set(HOLES.findall(texts[english])) == set(HOLES.findall(texts[chinese]))
            assert not HANZI.search(re.sub(r"[（(][^）)]*[）)]", "", texts[english]))


def test_every_error_raised_in_the_sources_has_a_text_and_a_remedy() -> None:
    known = messages.keys()
    missing = []
    for package in ("cim", "bim_import", "scenes"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and node.args):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                key = node.args[0]
                if not (name.endswith("Error") and isinstance(key, ast.Constant)):
                    continue
                if isinstance(key.value, str) and re.fullmatch(r"[a-z_]+(\.\w+)+", key.value):
                    texts = known.get(key.value)
                    if texts is None or "do_en" not in texts:
                        missing.append(f"{path.relative_to(ROOT)}:{node.lineno} {key.value}")
    assert missing == []


def test_an_error_speaks_the_language_asked_for() -> None:
    error = CimError("job.cancelled", given="3/4")
    assert "Cancelled at 3/4" in error.message()
    messages.set_language("zh")
    assert "已在 3/4 处取消" in str(error)


def test_an_error_is_also_the_builtin_it_refines() -> None:
    with pytest.raises(ValueError, match="Cancelled"):
        raise SourceError("job.cancelled", given="x")


def test_a_text_without_a_value_shows_its_placeholder_instead_of_failing() -> None:
    assert "{given}" in messages.text("job.cancelled")
