"""The rules of contracts without a database: digests, moves, words, terms, the chain of the audit trail."""

import hashlib
import time
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, WrongTransition

from sales_svc.domain import clause, contract_text, negotiation, proof, renewal
from sales_svc.domain import contract as rules
from sales_svc.domain.clause import PlaceholderEmpty
from sales_svc.domain.contract import CONTRACT_TRANSITIONS, Contract, ContractVersion, DocumentChanged, TimeToSignOver
from sales_svc.domain.contract_template import Template, Terms
from sales_svc.domain.contract_text import Wording, end_of
from sales_svc.domain.negotiation import Addition, Change
from sales_svc.domain.proof import Place, Record
from sales_svc.domain.quote import Quote
from sales_svc.tests.builders import NOW, line, opportunity, quote

WORDS = (
    Wording("payment", 1, "Price", "The price is {{ total.net }}, payable in {{ payment_days }} days."),
    Wording("liability", 1, "Liability", "Limited to {{ total.net }}.\n\nNot for lost profit."),
)


def drawn_up(of: Quote | None = None, **changed: Any) -> tuple[Contract, ContractVersion]:
    template = Template(
        *(new_id(), "standard", 1, "Standard", "en", True, 0, None, (), changed.pop("terms", Terms())),
        *(changed.pop("countersign", False), 30, NOW),
    )
    return rules.draw_up(
        contract_id=new_id(),
        number="C-2026-000001",
        quote=of or quote(state="accepted"),
        template=template,
        wordings=WORDS,
        supplier=None,
        letterhead=None,
        author="ada",
        now=NOW,
        **changed,
    )


def test_the_digest_covers_the_priced_version_and_the_words() -> None:
    agreed = quote(state="accepted")
    contract, version = drawn_up(agreed)
    assert '"gross":"6527.81"' in contract.document
    assert "The price is 5,350.66 EUR, payable in 30 days." in contract.document
    assert contract.document_sha256 == hashlib.sha256(contract.document.encode()).hexdigest()
    dearer = replace(agreed, lines=(line(quantity=Decimal(17)),))
    with pytest.raises(DocumentChanged):
        rules.sign(contract, version, dearer, opportunity(), "Anna Rossi", NOW)
    forged = replace(version, wordings=(replace(WORDS[0], source="Free."), WORDS[1]))
    with pytest.raises(DocumentChanged):
        rules.sign(contract, forged, agreed, opportunity(), "Anna Rossi", NOW)
    with pytest.raises(DocumentChanged):
        rules.sign(replace(contract, document_sha256="5c" * 32), version, agreed, opportunity(), "Anna Rossi", NOW)
    signed, bound = rules.sign(contract, version, agreed, opportunity(), "Anna Rossi", NOW)
    won, _, [agreed_event, won_event] = rules.bind(signed, agreed, opportunity(), NOW)
    assert (signed.state, bound, won.stage) == ("signed", True, "won")
    assert {agreed_event.TOPIC, won_event.TOPIC} == {"contract.signed", "opportunity.won"}


@pytest.mark.parametrize("state", ["draft", "sent", "rejected", "expired", "superseded"])
def test_only_an_accepted_quote_becomes_a_contract(state: Any) -> None:
    with pytest.raises(WrongTransition):
        drawn_up(quote(state=state))


def test_nothing_leads_out_of_a_final_state() -> None:
    assert not {state for state, _ in CONTRACT_TRANSITIONS} & {"signed", "declined", "expired"}


def test_it_is_signed_until_its_day_and_not_after() -> None:
    agreed = quote(state="accepted")
    contract, version = drawn_up(agreed)
    sent = rules.send(contract, "5c" * 32, NOW)
    assert sent.sign_by == date(2026, 1, 31)
    last_day, after = NOW + timedelta(days=30), NOW + timedelta(days=31)
    assert rules.sign(sent, version, agreed, opportunity(), "Anna", last_day)[0].state == "signed"
    with pytest.raises(TimeToSignOver):
        rules.sign(sent, version, agreed, opportunity(), "Anna", after)


def test_a_new_price_keeps_the_words_that_were_negotiated() -> None:
    contract, version = drawn_up()
    words = negotiation.revise(version.wordings, [Change("liability", "Limited to twice {{ total.net }}.")], [], [])
    revised, second = rules.reword(
        rules.send(contract, "5c" * 32, NOW), quote(state="accepted"), words, None, None, author="ben", reason="counsel", now=NOW
    )
    assert (revised.state, revised.contract_version, revised.pdf_sha256) == ("in_negotiation", 2, None)
    dearer = quote(state="accepted", lines=(line(quantity=Decimal(32)),))
    repriced, third = rules.reword(revised, dearer, second.wordings, None, None, author="ada", reason="price", now=NOW)
    assert "Limited to twice 10,701.31 EUR." in third.document
    assert (repriced.contract_version, repriced.quote_id) == (3, dearer.id)


def test_a_hole_in_a_clause_is_named() -> None:
    with pytest.raises(PlaceholderEmpty, match=r"our\.name"):
        clause.fill("{{our.name}} and {{ customer.name }}", {"customer.name": "Rossi", "our.name": None}, code="parties")


@pytest.mark.parametrize("text", ["{{ customer.nmae }}", "{{ customer.name", "price }}", "{{ 7*7 }}", " \n "])
def test_a_clause_with_a_wrong_placeholder_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        clause.require_fillable(text, field="text")


def test_a_customer_is_never_a_placeholder() -> None:
    filled = clause.fill("for {{ customer.name }}", {"customer.name": "{{ total.net }}", "total.net": "0"}, code="x")
    assert filled == "for {{ total.net }}"


@settings(max_examples=200, deadline=None)
@given(st.text("aab bc.\n的合同", max_size=80), st.text("aab bc.\n的合同", max_size=80))
def test_the_pieces_of_a_difference_add_up_to_both_texts(before: str, after: str) -> None:
    pieces = negotiation.words(before, after)
    assert "".join(piece.text for piece in pieces if piece.op != "insert") == before
    assert "".join(piece.text for piece in pieces if piece.op != "delete") == after


def test_differences_are_by_word_and_in_chinese_by_sign() -> None:
    old, new = "payable within 30 days of its date", "payable within 45 days of its date"
    assert [(p.op, p.text) for p in negotiation.words(old, new)] == [
        *(("equal", "payable within "), ("delete", "30 "), ("insert", "45 "), ("equal", "days of its date"))
    ]
    assert [(p.op, p.text) for p in negotiation.words("三十日内付款", "四十日内付款")] == [
        *(("delete", "三"), ("insert", "四"), ("equal", "十日内付款"))
    ]


@pytest.mark.parametrize("text", ["的" * 10_000, "a " * 5_000, "a." * 5_000, "\n" * 10_000])
def test_comparing_the_longest_texts_stays_quick(text: str) -> None:
    began = time.perf_counter()
    negotiation.words(text, text[1:] + "x")
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("round_of", "field"),
    [
        (([Change("nothing", "x")], [], []), "changes.0.code"),
        (([Change("payment", "x"), Change("payment", "y")], [], []), "changes.1.code"),
        (([Change("payment", "{{ price }}")], [], []), "changes.0.text"),
        (([Change("payment", WORDS[0].source)], [], []), "changes"),
        (([], [Addition("payment", "Again", "x")], []), "additions.0.code"),
        (([], [Addition("new", "New", "x", after="nowhere")], []), "additions.0.after"),
        (([], [], ["nothing"]), "removals.0"),
        (([], [], ["payment", "liability"]), "removals"),
        (([], [Addition(f"n{n}", "New", "x") for n in range(60)], []), "additions"),
    ],
)
def test_a_round_of_negotiation_names_what_is_wrong(round_of: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        negotiation.revise(WORDS, *round_of)
    assert refused.value.field == field


def test_an_added_clause_follows_the_one_it_names() -> None:
    words = negotiation.revise(WORDS, [], [Addition("audit", "Audit", "Books are open.", after="payment")], [])
    assert [each.code for each in words] == ["payment", "audit", "liability"]
    assert (words[1].clause_version, words[1].negotiated) == (None, True)


@pytest.mark.parametrize(
    ("starts", "months", "ends"),
    [
        (date(2026, 1, 13), 12, date(2027, 1, 12)),
        (date(2026, 1, 1), 1, date(2026, 1, 31)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
    ],
)
def test_a_term_ends_the_day_before_the_same_day_months_later(starts: date, months: int, ends: date) -> None:
    assert end_of(starts, months) == ends


def test_reminders_come_before_the_last_day_for_notice_and_not_before_the_term() -> None:
    term = renewal.first_term(new_id(), Terms(12, True, 12, 90), date(2026, 1, 13))
    assert term is not None
    assert (term.ends_on, term.notice_by) == (date(2027, 1, 12), date(2026, 10, 14))
    assert [each.due_on for each in renewal.reminders(term, (7, 30, 30, 400))] == [date(2026, 10, 7), date(2026, 9, 14)]
    old, following = renewal.renew(term, Terms(12, True, 6, 90))
    assert (old.state, following.starts_on, following.ends_on) == ("renewed", date(2027, 1, 13), date(2027, 7, 12))
    with pytest.raises(renewal.NoticeTooLate):
        renewal.give_notice(term, date(2026, 10, 15))


def test_a_broken_link_of_the_audit_trail_shows() -> None:
    contract, version = drawn_up()
    records: list[Record] = []
    for happening in ("drawn_up", "sent", "viewed"):
        record = Record(contract.id, 0, happening, "ada", Place(), {"version": 1}, NOW, "")
        records.append(proof.chained(record, records[-1] if records else None))

    def broken(trail: list[Record]) -> list[str]:
        checks = proof.verify(contract, version, version.document, None, [], trail)
        return [check.what for check in checks if not check.ok]

    assert broken(records) == []
    assert broken([records[0], replace(records[1], by="eve"), records[2]]) == ["audit record 2: sent"]
    assert broken([records[0], records[2]]) == ["audit record 2: viewed"]


@pytest.mark.parametrize("name", ["", "A", "12", "\x07Anna Rossi", "  "])
def test_a_typed_name_is_a_name(name: str) -> None:
    with pytest.raises(Invalid):
        proof.typed_name(name)
    assert proof.typed_name("  Anna \u00a0 Rossi ") == "Anna Rossi"
    assert proof.typed_name("张伟") == "张伟"


def test_days_are_written_as_people_write_them() -> None:
    assert contract_text.in_words(date(2026, 1, 5), "en") == "5 January 2026"
    assert contract_text.in_words(date(2026, 1, 5), "zh") == "2026年1月5日"
