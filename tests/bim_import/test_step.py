"""The STEP index: what stands in the text is what comes out, also where the text is odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bim_import.schema import product_classes
from bim_import.step import Ref, StepFile, Word

HEAD = b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\n"
TAIL = b"ENDSEC;\nEND-ISO-10303-21;\n"


def step(*lines: bytes) -> StepFile:
    return StepFile(HEAD + b"\n".join(lines) + b"\n" + TAIL)


def test_arguments_come_out_by_their_sort() -> None:
    file = step(
        b"#7 = IfcWall ('a''b;#9=X(', #3, $, *, .T., 1, -2.5E-3, (1.,(#4)), IFCLABEL('x'));"
    )
    assert file.ids.tolist() == [7]
    assert file.name(7) == "IFCWALL"
    assert file.args(7) == [
        "a'b;#9=X(", Ref(3), None, None, Word("T"), 1, -2.5e-3, [1.0, [Ref(4)]], ("IFCLABEL", "x"),
    ]  # fmt: skip
    assert isinstance(file.args(7)[1], Ref)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\\X2\\58996C11\\X0\\ 1", "墙民 1"),
        (b"\\X4\\0001F3E0\\X0\\", "🏠"),
        (b"\\X\\E9t\\X\\E9", "été"),
        (b"\\S\\i", "é"),
        ("五大道".encode(), "五大道"),
        ("五大道".encode("gb18030"), "五大道"),
        (b"a\\\\b", "a\\b"),
        (b"\\X2\\zz\\X0\\", "\\X2\\zz\\X0\\"),
    ],
)
def test_chinese_and_other_letters_are_read_in_every_way_of_writing(raw: bytes, text: str) -> None:
    assert step(b"#1=IFCWALL('" + raw + b"');").args(1) == [text]


def test_instances_may_spread_over_lines_share_one_or_be_commented() -> None:
    file = step(b"#2=A(1);#1=B(\n 2 ,\n 'x\ny' );/* #8=C(';'); */ #3 = D((#1,#2));")
    assert file.ids.tolist() == [1, 2, 3]
    assert file.args(1) == [2, "x\ny"]
    refs, start = file.references(file.rows("D"))
    assert (refs.tolist(), start.tolist()) == ([1, 2], [0, 2])


def test_a_spoilt_statement_costs_itself() -> None:
    file = step(b"#1=A(1.);", b"#x=B(2);", b"#3=C(3;", b"#4=D('open);", b"#5=E(5);", b"#5=E(6);")
    assert {1, 5} <= set(file.ids.tolist())
    assert file.args(5) == [5]
    assert file.damaged >= 1


def test_numbers_that_are_none_become_nan() -> None:
    file = step(b"#1=P((1.,2.,3.));", b"#2=P((1.,x,3.));", b"#3=P((4.));")
    flat, start = file.numbers(file.rows("P"))
    assert start.tolist() == [0, 3, 6, 7]
    assert flat[[0, 1, 2, 3, 5, 6]].tolist() == [1, 2, 3, 1, 3, 4]
    assert flat[4] != flat[4]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fall(data: bytes) -> None:
    file = StepFile(HEAD + data + TAIL)
    for number in file.ids.tolist():
        assert isinstance(file.args(number), list)


@given(st.lists(st.text(alphabet="ab';#=()\\墙", max_size=12), min_size=1, max_size=5))
def test_strings_keep_what_is_written(texts: list[str]) -> None:
    written = [t.replace("\\", "\\\\").replace("'", "''") for t in texts]
    lines = [f"#{i + 1}=A('{t}');".encode() for i, t in enumerate(written)]
    assert [step(*lines).args(i + 1) for i in range(len(texts))] == [[t] for t in texts]


def test_the_table_of_products_is_that_of_the_schemas() -> None:
    wrapper = pytest.importorskip("ifcopenshell").ifcopenshell_wrapper
    known = product_classes()
    for name in ("IFC2X3", "IFC4", "IFC4X3_ADD2"):
        schema = wrapper.schema_by_name(name)
        for declared in schema.declarations():
            entity = declared.as_entity()
            above, at = set(), entity
            while at:
                above.add(at.name())
                at = at.supertype()
            if "IfcProduct" in above and entity.name() != "IfcProduct":
                own = known[entity.name().upper()]
                assert own.name == entity.name()
                for group in ("IfcElement", "IfcAnnotation", "IfcPort", "IfcStructuralItem"):
                    assert own.is_a(group) == (group in above), (name, own.name, group)
                places = [a.name() for a in entity.all_attributes()]
                if "PredefinedType" in places:
                    assert places.index("PredefinedType") == own.predefined, (name, own.name)
