"""Where-expressions: what they select, against plain Python, and what they refuse."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.errors import RequestError
from cim.model.kinds import Field
from cim.model.table import FeatureTable, as_column
from cim.query import matches, select

FIELDS = (
    Field("height_m", "real", "m"),
    Field("storeys", "integer", "1"),
    Field("name", "text"),
    Field("closed", "boolean"),
    Field("valid_from", "instant"),
    Field("建筑 类", "text"),
)
ROWS = [
    (12.0, 3, "民园广场", True, "2014-05-01T00:00:00+08:00", "x"),
    (8.5, 2, "Astor", False, "1886-01-01", None),
    (None, None, None, None, None, None),
    (50.0, 14, "it's 50% (new)", False, "2020-01-01T00:00:00Z", "y"),
    (12.0, 4, "astor_2", None, "not an instant", "x"),
]


def table(rows):
    count = len(rows)
    columns = {
        field.name: as_column([row[i] for row in rows], field.type)
        for i, field in enumerate(FIELDS)
    }
    return FeatureTable(
        layer="building",
        ids=np.array([f"b{i}" for i in range(count)], dtype=object),
        geometry=np.full(count, None, dtype=object),
        columns=columns,
        fields=FIELDS,
    )


CITY = table(ROWS)


def chosen(where):
    return [int(id_[1:]) for id_ in select(CITY, where).ids]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("height_m > 10", [0, 3, 4]),
        ("10 < height_m", [0, 3, 4]),
        ("NOT height_m > 10", [1]),  # unknown is neither
        ("height_m <> 12", [1, 3]),
        ("height_m = 12 AND storeys = 3", [0]),
        ("height_m = 12 OR storeys = 2", [0, 1, 4]),
        ("height_m > 10 OR name IS NULL", [0, 2, 3, 4]),
        ("height_m IS NULL", [2]),
        ("height_m IS NOT NULL", [0, 1, 3, 4]),
        ("height_m BETWEEN 8.5 AND 12", [0, 1, 4]),
        ("height_m NOT BETWEEN 8.5 AND 12", [3]),
        ("storeys IN (2, 4)", [1, 4]),
        ("storeys NOT IN (2, 4)", [0, 3]),
        ("name IN ('Astor', '民园广场')", [0, 1]),
        ("name = 'it''s 50% (new)'", [3]),
        ("name LIKE '%园%'", [0]),
        ("name LIKE 'a%'", [4]),
        ("CASEI(name) LIKE casei('A%')", [1, 4]),
        ("CASEI(name) = casei('ASTOR')", [1]),
        ("name LIKE 'astor__'", [4]),
        ("name LIKE 'Astor'", [1]),
        (r"name LIKE '%50\%%'", [3]),
        (r"name LIKE 'astor\_2'", [4]),
        ("name NOT LIKE '%园%'", [1, 3, 4]),
        ("name LIKE '%'", [0, 1, 3, 4]),
        ("height_m / storeys > 3.5", [0, 1, 3]),
        ("height_m / (storeys - storeys) > 0", []),
        ("NOT height_m / (storeys - storeys) > 0", []),
        ("height_m - 2 * storeys = 6", [0]),
        ("height_m % 5 = 2", [0, 4]),
        ("storeys ^ 2 > 100", [3]),
        ("closed", [0]),
        ("NOT closed", [1, 3]),
        ("closed = true", [0]),
        ("closed <> true", [1, 3]),
        ("valid_from >= TIMESTAMP('2014-04-30T16:00:00Z')", [0, 3]),
        ("valid_from > DATE('2019-12-31')", [3]),
        ("valid_from < '1900-01-01'", [1]),
        ("T_AFTER(valid_from, DATE('2019-12-31'))", [3]),
        ("\"建筑 类\" = 'x'", [0, 4]),
        ("id = 'b3'", [3]),
        ("kind = 'building' AND layer = 'building'", [0, 1, 2, 3, 4]),
        ("true", [0, 1, 2, 3, 4]),
        ("false OR height_m > 20", [3]),
        ("height_m > 20 AND NOT (closed OR name = 'x')", [3]),
        (" AND ".join(["height_m > 1"] * 300), [0, 1, 3, 4]),
        ("(" * 60 + "height_m > 20" + ")" * 60, [3]),
    ],
)
def test_a_condition_selects_what_it_says(where, rows):
    assert chosen(where) == rows


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("", "query.where_empty"),
        ("   ", "query.where_empty"),
        ("height_m >", "query.where_not_cql2"),
        ("height_m == 3", "query.where_not_cql2"),
        ("height_m > 3; DROP TABLE building", "query.where_not_cql2"),
        ("name = 'open", "query.where_not_cql2"),
        ("heigth_m > 3", "query.no_column"),
        ('name = "Astor"', "query.no_column"),
        ("height_m > 'tall'", "query.where_sorts"),
        ("name > 3", "query.where_sorts"),
        ("name IN ('a', 3)", "query.where_sorts"),
        ("closed > true", "query.where_sorts"),
        ("closed = 1", "query.where_sorts"),
        ("name + 1 > 3", "query.where_not_numbers"),
        ("height_m LIKE '1%'", "query.where_not_text"),
        ("name LIKE name", "query.where_not_text"),
        ("casei(height_m) = 'x'", "query.where_not_text"),
        ("height_m = NULL", "query.where_null"),
        ("valid_from > 'yesterday'", "query.where_instant"),
        ("valid_from > DATE('2024-13-40')", "query.where_instant"),
        ("height_m", "query.where_no_condition"),
        ("S_INTERSECTS(geometry, POINT(1 2))", "query.no_column"),
        ("S_INTERSECTS(name, POINT(1 2))", "query.where_unsupported"),
        ("sqrt(height_m) > 3", "query.where_unsupported"),
        ("x" * 10_001, "query.where_too_long"),
        ("(" * 65 + "height_m > 20" + ")" * 65, "query.where_too_deep"),
        ("NOT " * 65 + "closed", "query.where_too_deep"),
        ("+".join(["height_m"] * 70) + " > 1", "query.where_too_deep"),
    ],
)
def test_a_condition_without_sense_is_refused_with_a_remedy(where, key):
    with pytest.raises(RequestError) as caught:
        select(CITY, where)
    assert caught.value.key == key
    for lang in ("en", "zh"):
        assert "{" not in caught.value.message(lang) + caught.value.remedy(lang)
        assert caught.value.remedy(lang)


def test_an_unknown_column_names_those_that_exist():
    with pytest.raises(RequestError, match="height_m, storeys, name"):
        select(CITY, "hight > 3")
    assert not matches(CITY, "hight > 3", absent=["hight"]).any()
    assert matches(CITY, "hight IS NULL", absent=["hight"]).all()


def test_a_table_without_rows_answers_and_still_checks():
    assert len(select(table([]), "height_m > 3 AND name LIKE 'a%' AND id IN ('x')")) == 0
    with pytest.raises(RequestError):
        select(table([]), "hight > 3")


# each of these killed the reader's process when it was given to it unread
DEADLY = [
    "'(' * 5000 + 'a=1' + ')' * 4990",
    "'-' * 9990 + 'a>1'",
    "'=' .join(['a'] * 4990)",
    "'a > ' + '- ' * 4990 + '1'",
    "'NOT ' * 2490 + 'a'",
    "'NOT(' * 1500 + 'a=1' + ')' * 1500",
    "'(a=1 AND ' * 1000 + 'a=1' + ')' * 1000",
    "'^'.join(['a'] * 4990)",
    "'f(' * 3000 + 'a' + ')' * 3000",
    "'a in ' + '(' * 4000 + '1' + ')' * 4000",
    "'+'.join(['(a)'] * 2400) + '>1'",
]


def test_no_condition_overruns_the_stack_even_of_a_small_thread():
    code = (
        "import sys, threading\n"
        "from cim.query.grammar import parse\n"
        "from cim.errors import RequestError\n"
        f"deadly = [{', '.join(DEADLY)}]\n"
        "deadly += [' OR '.join(['a=1'] * 1400), 'a in (' + '1,' * 4900 + '1)']\n"
        "refused = []\n"
        "def work():\n"
        "    for text in deadly:\n"
        "        try:\n"
        "            parse(text)\n"
        "        except RequestError as error:\n"
        "            refused.append(error.key)\n"
        "threading.stack_size(1024 * 1024)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print(len(refused), set(refused))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.split()[0] == str(len(DEADLY))


def test_a_pattern_of_many_stars_is_quick():
    # a backtracking matcher would need more steps than the universe has had seconds
    long = table([(1.0, 1, "a" * 3000, None, None, None)])
    assert len(select(long, f"name LIKE '{'%a' * 1500}b'")) == 0
    assert len(select(long, f"name LIKE '{'%a' * 1500}'")) == 1


VALUE = st.one_of(st.none(), st.integers(-3, 3).map(float))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "ab", "b", ""]))


@st.composite
def conditions(draw, depth=3):
    """A condition as text, and the same as a Python function: True, False or None."""
    if depth == 0 or draw(st.booleans()):
        number = draw(st.integers(-3, 3))
        return draw(
            st.sampled_from(
                [
                    (f"height_m > {number}", lambda r: None if r[0] is None else r[0] > number),
                    (f"height_m = {number}", lambda r: None if r[0] is None else r[0] == number),
                    (f"{number} >= storeys", lambda r: None if r[1] is None else number >= r[1]),
                    ("height_m IS NULL", lambda r: r[0] is None),
                    ("name LIKE 'a%'", lambda r: None if r[2] is None else r[2][:1] == "a"),
                    ("name < 'b'", lambda r: None if r[2] is None else r[2] < "b"),
                    (
                        "height_m + storeys <> 0",
                        lambda r: None if None in r[:2] else r[0] + r[1] != 0,
                    ),
                ]
            )
        )
    left, right = draw(conditions(depth=depth - 1)), draw(conditions(depth=depth - 1))
    word = draw(st.sampled_from(["AND", "OR", "NOT"]))
    if word == "NOT":
        return f"NOT ({left[0]})", lambda r: None if left[1](r) is None else not left[1](r)
    return f"({left[0]}) {word} ({right[0]})", lambda r: joined(word, left[1](r), right[1](r))


def joined(word, left, right):
    decisive = word == "OR"
    if decisive in (left, right):
        return decisive
    return None if None in (left, right) else not decisive


@given(st.lists(st.tuples(VALUE, VALUE, WORDS), max_size=8), conditions())
@settings(max_examples=150, deadline=None)
def test_any_condition_selects_as_plain_python_does(rows, condition):
    where, test = condition
    full = [(*row, None, None, None) for row in rows]
    mask = matches(table(full), where)
    assert mask.tolist() == [test(row) is True for row in rows]
