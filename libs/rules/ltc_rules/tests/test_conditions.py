from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid

from ltc_rules.conditions import Kind, check, describe, failing, fields_of, holds

FIELDS: dict[str, Kind] = {
    "country": "text",
    "size": "number",
    "vip": "boolean",
    "since": "date",
    "seen": "datetime",
    "tags": "list",
    "custom.tier": "text",
}
VALUES = {
    "country": "DE",
    "size": Decimal("80"),
    "vip": False,
    "since": date(2026, 1, 31),
    "seen": datetime(2026, 1, 31, 23, tzinfo=UTC),
    "tags": ["Trial", "EU"],
    "custom.tier": "Gold",
}


def leaf(field: str, operator: str, *value: Any) -> dict[str, Any]:
    return {"field": field, "is": operator} | ({"value": value[0]} if value else {})


@pytest.mark.parametrize(
    ("field", "operator", "value", "answer"),
    [
        ("country", "eq", "de", True),
        ("country", "ne", "DE", False),
        ("country", "in", ["AT", "de"], True),
        ("country", "not_in", ["AT"], True),
        ("country", "contains", "E", True),
        ("country", "starts_with", "e", False),
        ("size", "eq", "80.00", True),
        ("size", "gt", 79.5, True),
        ("size", "gte", 80, True),
        ("size", "lt", 80, False),
        ("size", "lte", "80", True),
        ("size", "in", [1, 80], True),
        ("size", "not_in", [80], False),
        ("vip", "eq", False, True),
        ("vip", "ne", False, False),
        ("since", "gt", "2026-01-30", True),
        ("since", "eq", "2026-01-31", True),
        ("since", "lt", "2026-01-31", False),
        ("seen", "eq", "2026-02-01T00:00:00+01:00", True),
        ("seen", "gte", "2026-01-31T23:00:01Z", False),
        ("tags", "contains", "eu", True),
        ("tags", "in", ["x", "trial"], True),
        ("tags", "not_in", ["x"], True),
        ("tags", "not_in", ["x", "EU"], False),
        ("custom.tier", "eq", " GOLD ", True),
    ],
)
def test_each_operator_compares_as_its_field_is(field: str, operator: str, value: Any, answer: bool) -> None:
    condition = leaf(field, operator, value)
    check(condition, FIELDS)
    assert holds(condition, VALUES) is answer
    assert holds({"not": condition}, VALUES) is not answer


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("empty", [{}, {"*": None}, {"*": ""}, {"*": []}])
def test_what_is_missing_equals_nothing(field: str, empty: dict[str, Any]) -> None:
    values = {field: empty["*"]} if empty else {}
    assert holds(leaf(field, "is_empty"), values)
    assert not holds(leaf(field, "is_set"), values)
    assert holds(leaf(field, "ne", "x"), values)
    assert holds(leaf(field, "not_in", ["x"]), values)
    for operator, value in (("eq", "x"), ("in", ["x"]), ("gt", 1), ("lt", 1), ("contains", "x"), ("starts_with", "x")):
        assert not holds(leaf(field, operator, value), values)


def test_false_and_zero_are_set() -> None:
    assert holds({"all": [leaf("vip", "is_set"), leaf("size", "is_set")]}, {"vip": False, "size": 0})


def test_values_as_they_travel_in_json_compare_as_what_they_are() -> None:
    assert holds(leaf("size", "gt", 9), {"size": "80.5"})
    assert holds(leaf("size", "gt", "9"), {"size": "80.5"})
    assert not holds(leaf("size", "lte", "9.0"), {"size": "80.5"})
    assert holds(leaf("seen", "lt", "2026-01-31T23:30:00Z"), {"seen": "2026-01-31T23:59:00+01:00"})
    assert not holds(leaf("country", "eq", "7"), {"country": "007"})


def test_joints_nest_and_all_of_none_is_everybody() -> None:
    german, big, vip = leaf("country", "eq", "DE"), leaf("size", "gt", 500), leaf("vip", "eq", True)
    assert holds({"all": [german, {"any": [big, {"not": vip}]}]}, VALUES)
    assert not holds({"any": [big, vip]}, VALUES)
    assert holds({"all": []}, {})


def test_reasons_name_what_is_missing_and_repeat_no_value_of_the_record() -> None:
    condition = {
        "all": [
            leaf("country", "in", ["AT", "CH"]),
            leaf("size", "gte", 100),
            {"any": [leaf("vip", "eq", True), leaf("tags", "is_empty")]},
        ]
    }
    reasons = failing(condition, VALUES, {"size": "Company size"})
    assert reasons == [
        "country must be one of AT, CH",
        "Company size must be at least 100",
        "(vip must be true or tags must be empty)",
    ]
    assert failing(condition, {"country": "at", "size": 100, "vip": True}) == []
    assert failing({"not": leaf("country", "eq", "DE")}, VALUES) == ["not: country must be DE"]
    assert describe({"all": []}) == "always"
    assert fields_of(condition) == {"country", "size", "vip", "tags"}


@pytest.mark.parametrize(
    ("condition", "at"),
    [
        ("true", "condition"),
        ({}, "condition"),
        ({"all": [], "any": []}, "condition"),
        ({"any": []}, "condition.any"),
        ({"all": "x"}, "condition.all"),
        ({"not": []}, "condition.not"),
        (leaf("shoe", "eq", "x"), "condition.field"),
        ({"field": ["country"], "is": "eq", "value": "x"}, "condition.field"),
        (leaf("country", "gt", "x"), "condition.is"),
        (leaf("vip", "in", [True]), "condition.is"),
        ({"field": "country", "is": ["eq"], "value": "x"}, "condition.is"),
        (leaf("country", "eq"), "condition.value"),
        (leaf("country", "eq", ""), "condition.value"),
        (leaf("country", "eq", "x" * 501), "condition.value"),
        (leaf("country", "eq", "\x00"), "condition.value"),
        (leaf("country", "eq", "\ud800"), "condition.value"),
        (leaf("country", "in", "DE"), "condition.value"),
        (leaf("country", "in", []), "condition.value"),
        (leaf("country", "in", ["DE", 1]), "condition.value.1"),
        (leaf("country", "is_set", True), "condition.value"),
        (leaf("size", "gt", True), "condition.value"),
        (leaf("size", "gt", "1e9"), "condition.value"),
        (leaf("size", "gt", float("nan")), "condition.value"),
        (leaf("vip", "eq", "true"), "condition.value"),
        (leaf("since", "gt", "2026-02-30"), "condition.value"),
        (leaf("seen", "gt", "2026-02-01T00:00:00"), "condition.value"),
        (leaf("seen", "gt", "9999-12-31T23:59:59-10:00"), "condition.value"),
        ({"field": "country", "is": "eq", "value": "x", "code": "1"}, "condition"),
        ({"all": [leaf("country", "is_set"), {"any": [{"not": leaf("x", "is_set")}]}]}, "condition.all.1.any.0.not.field"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_at_its_place(condition: Any, at: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(condition, FIELDS)
    assert refused.value.field == at


def test_depth_and_breadth_are_bounded() -> None:
    deep: Any = leaf("country", "is_set")
    for _ in range(7):
        deep = {"not": deep}
    check(deep, FIELDS)
    with pytest.raises(Invalid, match="deeper than 8"):
        check({"not": deep}, FIELDS)
    for _ in range(5000):
        deep = {"all": [deep]}
    with pytest.raises(Invalid, match="deeper than 8"):
        check(deep, FIELDS)
    check({"any": [leaf("vip", "is_set")] * 100}, FIELDS)
    with pytest.raises(Invalid, match="more than 100"):
        check({"any": [leaf("vip", "is_set")] * 101}, FIELDS)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["DE", "2026-01-01", "80"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "is", "value"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_leaves = st.builds(
    lambda field, operator, value: {"field": field, "is": operator, "value": value},
    st.sampled_from([*FIELDS, "x"]),
    st.sampled_from(["eq", "ne", "in", "not_in", "gt", "lte", "contains", "starts_with", "is_set"]),
    _json,
)


@given(
    _json | _leaves | st.lists(_leaves, max_size=3).map(lambda parts: {"all": parts}),
    st.dictionaries(st.sampled_from([*FIELDS]), _json),
)
def test_whatever_is_written_it_is_refused_or_it_can_be_evaluated(condition: Any, values: dict[str, Any]) -> None:
    try:
        check(condition, FIELDS)
    except Invalid:
        return
    assert holds(condition, values) is not holds({"not": condition}, values)
    assert bool(failing(condition, values)) is not holds(condition, values)
