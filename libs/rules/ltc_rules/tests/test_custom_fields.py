from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid

from ltc_rules.custom_fields import JSON, TYPES, FieldDef, check_definition, kinds, merge, parse_cell, public, typed, validate


def field(kind: Any = "text", key: str = "f", **more: Any) -> FieldDef:
    return FieldDef(**{"entity": "lead", "key": key, "label": key, "type": kind, **more})


CHOICES: dict[str, Any] = {"choices": ("Gold", "Silver", "Bronze")}
ONE_OF_EACH = [field(kind, key=kind, **(CHOICES if "choice" in kind else {})) for kind in TYPES]


@pytest.mark.parametrize(
    ("definition", "given", "kept"),
    [
        (field("text"), " hello ", "hello"),
        (field("text"), "=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        (field("text"), "  ", None),
        (field("number"), "12.50", "12.50"),
        (field("number"), 12.5, "12.5"),
        (field("number"), -3, "-3"),
        (field("number"), "-0.0", "0"),
        (field("integer"), 42, 42),
        (field("integer"), "42", 42),
        (field("boolean"), False, False),
        (field("date"), "2028-02-29", "2028-02-29"),
        (field("datetime"), "2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
        (field("choice", **CHOICES), "Gold", "Gold"),
        (field("multi_choice", **CHOICES), ["Bronze", "Gold", "Gold"], ["Gold", "Bronze"]),
        (field("multi_choice", **CHOICES), [], None),
        (field("url"), "https://rossi.example/a?b=c", "https://rossi.example/a?b=c"),
        (field("email"), "anna@rossi.example", "anna@rossi.example"),
    ],
)
def test_a_value_has_one_kept_form(definition: FieldDef, given: Any, kept: Any) -> None:
    assert validate([definition], {"f": given}, partial=True) == {"f": kept}


@pytest.mark.parametrize(
    ("definition", "given"),
    [
        (field("text"), 1),
        (field("text"), "x" * 501),
        (field("text", max_length=3), "long"),
        (field("text"), "nul\x00"),
        (field("text"), "half \ud800"),
        (field("number"), "1,5"),
        (field("number"), "1e5"),
        (field("number"), True),
        (field("number"), float("nan")),
        (field("number"), float("inf")),
        (field("number"), "0.1234567"),
        (field("number"), 1e300),
        (field("number"), "9" * 15),
        (field("number", minimum=Decimal(0)), "-0.01"),
        (field("number", maximum=Decimal("9.5")), "9.51"),
        (field("integer"), 1.0),
        (field("integer"), True),
        (field("integer"), 2**53),
        (field("integer", minimum=Decimal(1)), 0),
        (field("boolean"), "true"),
        (field("boolean"), 1),
        (field("date"), "2026-02-29"),
        (field("date"), "20260228"),
        (field("datetime"), "2026-03-01T12:00:00"),
        (field("datetime"), "0001-01-01T00:00:00+10:00"),
        (field("choice", **CHOICES), "gold"),
        (field("choice", **CHOICES), ["Gold"]),
        (field("multi_choice", **CHOICES), "Gold"),
        (field("multi_choice", **CHOICES), ["Gold", "Tin"]),
        (field("multi_choice", **CHOICES), ["Gold"] * 51),
        (field("url"), "javascript:alert(1)"),
        (field("url"), "https://"),
        (field("url"), "http://[broken"),
        (field("email"), "anna@rossi.example, eve@x.example"),
        (field("text", archived=True), "late"),
        (field("text", required=True), None),
        (field("text", key="other"), "x"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(definition: FieldDef, given: Any) -> None:
    for partial in (False, True):
        with pytest.raises(Invalid) as refused:
            validate([definition], {"f": given}, partial=partial)
        assert refused.value.field == "custom.f"


def test_required_counts_for_the_whole_record_and_not_for_a_change() -> None:
    defs = [field(key="must", required=True), field(key="may"), field(key="old", required=True, archived=True)]
    with pytest.raises(Invalid, match="required"):
        validate(defs, {"may": "x"})
    assert validate(defs, {"must": "x", "may": None}) == {"must": "x"}
    change = validate(defs, {"may": None, "old": None}, partial=True)
    assert change == {"may": None, "old": None}
    assert merge({"must": "x", "may": "y", "old": "z"}, change) == {"must": "x"}


def test_typed_values_compare_and_public_ones_are_not_personal() -> None:
    values: dict[str, JSON] = {
        "number": "12.50",
        "integer": 3,
        "date": "2026-01-02",
        "datetime": "2026-03-01T10:00:00Z",
        "boolean": False,
        "text": "x",
        "multi_choice": ["Gold"],
        "gone": "y",
    }
    made = typed(ONE_OF_EACH, values)
    assert made["custom.number"] == Decimal("12.5")
    assert made["custom.date"] == date(2026, 1, 2)
    assert made["custom.datetime"] == datetime.fromisoformat("2026-03-01T10:00:00+00:00")
    assert (made["custom.boolean"], made["custom.multi_choice"], "custom.gone" in made) == (False, ["Gold"], False)
    assert kinds(ONE_OF_EACH)["custom.integer"] == "number"
    assert kinds(ONE_OF_EACH)["custom.choice"] == "text"
    assert public([field(key="open"), field(key="secret", personal=True)], {"open": 1, "secret": "s", "gone": 2}) == {"open": 1}


@pytest.mark.parametrize(
    ("definition", "cell", "kept"),
    [
        (field("text"), "  ", None),
        (field("number"), " 12.5 ", "12.5"),
        (field("integer"), "7", 7),
        (field("boolean"), "Yes", True),
        (field("boolean"), "nein", False),
        (field("date"), "2026-01-02", "2026-01-02"),
        (field("choice", **CHOICES), "gold", "Gold"),
        (field("multi_choice", **CHOICES), "Silver; Gold |", ["Gold", "Silver"]),
    ],
)
def test_a_cell_becomes_its_value(definition: FieldDef, cell: str, kept: Any) -> None:
    assert parse_cell(definition, cell) == kept


@pytest.mark.parametrize(
    ("definition", "cell"),
    [(field("number"), "12,5"), (field("boolean"), "maybe"), (field("choice", **CHOICES), "Tin"), (field("integer"), "1.0")],
)
def test_a_cell_that_does_not_fit_is_refused_by_name(definition: FieldDef, cell: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_cell(definition, cell)
    assert refused.value.field == "custom.f"


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"key": "Tier"}, "key"),
        ({"key": "9x"}, "key"),
        ({"key": "x" * 64}, "key"),
        ({"label": " "}, "label"),
        ({"kind": "choice"}, "choices"),
        ({"choices": ("a",)}, "choices"),
        ({"kind": "choice", "choices": ("a", "A")}, "choices"),
        ({"kind": "choice", "choices": (" a",)}, "choices"),
        ({"kind": "multi_choice", "choices": ("a;b",)}, "choices"),
        ({"kind": "boolean", "max_length": 3}, "max_length"),
        ({"max_length": 10_001}, "max_length"),
        ({"minimum": Decimal(1)}, "minimum"),
        ({"kind": "number", "minimum": Decimal(2), "maximum": Decimal(1)}, "maximum"),
        ({"kind": "colour"}, "type"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused_by_attribute(wrong: dict[str, Any], at: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_definition(field(**wrong))
    assert refused.value.field == at
    for definition in ONE_OF_EACH:
        check_definition(definition)


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.datetimes().map(str)
    | st.sampled_from(CHOICES["choices"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(ONE_OF_EACH), _anything)
def test_a_kept_value_validates_to_itself(definition: FieldDef, value: Any) -> None:
    try:
        kept = validate([definition], {definition.key: value}, partial=True)
    except Invalid:
        return
    assert validate([definition], kept, partial=True) == kept
    typed([definition], kept)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**13), max_value=10**13, places=6))
def test_an_exact_number_stays_exact(number: Decimal) -> None:
    [kept] = validate([field("number")], {"f": format(number, "f")}).values()
    assert Decimal(str(kept)) == number
