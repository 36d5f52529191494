from datetime import timedelta
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid, WrongTransition
from ltc_rules.countries import country_code
from ltc_rules.tables import Record, read_table

from lead_svc.domain import lead as rules
from lead_svc.domain import phone
from lead_svc.domain.rows import Layout, Reader, Refusal, Row
from lead_svc.domain.score import Activity, Facts, qualifies, score
from lead_svc.tests.builders import NOW, RULE, lead

NOBODY = Facts(None, None, None, "x.example", None)


def test_fit_is_who_they_are() -> None:
    result = score(Facts("software", 80, "DE", None, "a@gmail.com"), [], RULE, NOW)
    assert (result.fit, result.engagement, result.band) == (Decimal(35), Decimal(0), "warm")
    assert {item.what: item.points for item in result.items} == {
        "industries": 20,
        "size": 15,
        "region": 10,
        "free_mail": -5,
        "no_website": -5,
    }


def test_a_demo_request_nine_days_ago_has_decayed() -> None:
    [item] = score(NOBODY, [Activity("demo_request", NOW - timedelta(days=9))], RULE, NOW).items
    assert (item.points, item.counted, item.age_days) == (Decimal(25), Decimal("20.31"), Decimal(9))


DAYS = st.floats(0, 400, allow_nan=False)


@given(st.lists(st.tuples(st.sampled_from(["form", "demo_request", "unknown"]), DAYS), max_size=12), DAYS)
def test_engagement_only_decays_stays_under_its_caps_and_is_the_sum_of_its_items(
    done: list[tuple[str, float]], later: float
) -> None:
    activities = [Activity(code, NOW - timedelta(days=age)) for code, age in done]
    now, then = score(NOBODY, activities, RULE, NOW), score(NOBODY, activities, RULE, NOW + timedelta(days=later))
    assert then.engagement <= now.engagement + Decimal("0.06")  # a cent of rounding per item
    assert 0 <= now.engagement <= 80
    assert now.engagement == sum(item.counted for item in now.items if item.part == "engagement")


def test_a_lead_qualifies_by_both_thresholds_or_by_high_intent() -> None:
    good = Facts("software", 80, "DE", "x.example", None)
    forms = [Activity("form", NOW)] * 2
    assert qualifies(score(good, forms, RULE, NOW), forms, RULE) == "score"
    assert qualifies(score(good, forms[:1], RULE, NOW), forms[:1], RULE) is None
    assert qualifies(score(NOBODY, forms, RULE, NOW), forms, RULE) is None
    demo = [Activity("demo_request", NOW)]
    assert qualifies(score(NOBODY, demo, RULE, NOW), demo, RULE) == "high_intent"


def test_wrong_moves_are_named() -> None:
    gone = lead(status="disqualified", disqualified_reason="no budget")
    with pytest.raises(WrongTransition, match="disqualified"):
        rules.qualify(gone, score(NOBODY, [], RULE, NOW), "person", None, NOW, ())
    with pytest.raises(WrongTransition):
        rules.engage(lead(status="merged"), "reply", NOW)
    assert rules.convert(lead(status="converted"), NOW) is None


@pytest.mark.parametrize(("text", "code"), [("India", "IN"), ("de", "DE"), ("USA", "US"), ("Atlantis", None), ("Vietnam", "VN")])
def test_countries_are_known_by_code_or_name(text: str, code: str | None) -> None:
    assert country_code(text) == code


@given(
    st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    st.text("0123456789", min_size=4, max_size=13),
    st.sampled_from(["", "0", "00", "1", "+", "(0"]),
    st.sampled_from(["", " ", "-", ") "]),
    st.booleans(),
)
def test_the_quick_way_to_a_phone_number_agrees_with_the_parser(
    country: str, digits: str, begin: str, sign: str, coded: bool
) -> None:
    code = str(phonenumbers.country_code_for_region(country)) if coded else ""
    text = f"{begin}{code}{digits[:3]}{sign}{digits[3:]}"
    assert phone.normal_phone(text, country) == phone.parsed(text, country)
    assert phone.normal_phone(text, None) == phone.parsed(text, None)


LAYOUT = Layout(
    {"channel": "Ch", "source": "So", "company_size": "Size", "contact.email": "Mail", "activities.form": "Form"},
    frozenset({"Select"}),
    {"source": "unknown"},
)
HEADER = ["Ch", "So", "Size", "Mail", "Form", "Other"]


def test_a_row_becomes_facts_activities_and_attributes() -> None:
    row = Reader(HEADER, LAYOUT).read(2, ["web", "Select", "12", "a@b.example", "Yes", "left"])
    assert isinstance(row, Row)
    assert row.facts["source"] == "unknown"
    assert (row.facts["company_size"], row.facts["contact"]["email"]) == (12, "a@b.example")
    assert (row.activities, row.attributes) == (("form",), {"Other": "left"})


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        (["web", "x", "many", "", "0", ""], "company_size"),
        (["web", "x", "1", "not mail", "0", ""], "contact.email"),
        (["", "x", "1", "", "0", ""], "channel"),
        (["web", "x" * 201, "1", "", "0", ""], "source"),
        (["web", "x"], "row"),
    ],
)
def test_a_row_that_cannot_be_taken_names_its_line_and_field(cells: list[str], field: str) -> None:
    refusal = Reader(HEADER, LAYOUT).read(7, cells)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.field) == (7, field)
    assert "not mail" not in refusal.reason


def test_separators_marks_and_newlines_in_quotes_are_understood() -> None:
    table = read_table('\ufeffa;b\r\n1;"two\nlines"\r\n\r\n3;4\r\n'.encode())
    assert (table.header, list(table.records)) == (["a", "b"], [Record(2, ["1", "two\nlines"]), Record(5, ["3", "4"])])


@pytest.mark.parametrize("file", [b"", b"\n\n", b"PK\x03\x04\x00", b"a,b\n\xff\xfe"])
def test_what_is_no_table_is_refused_whole(file: bytes) -> None:
    with pytest.raises(Invalid):
        list(read_table(file).records)
