"""Which invoices a payment is for."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer
from ltc_contracts.money import Money

from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion
from billing_svc.domain.allocation import POLICIES, allocate
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.matching import Known, Signals, numbers_said, suggest
from billing_svc.domain.reference import is_reference, number_of, payment_reference, printed
from billing_svc.tests.builders import NOW, completed, line

EUR = "EUR"


def eur(amount: str) -> Money:
    return Money.of(amount, EUR)


def invoice(gross: str, number: str = "INV-2026-000001", due: int = 30, sku: str = "SUPPORT", **changed: Any) -> Invoice:
    one = line(gross, "1", "0", "0").model_copy(update={"sku": sku})
    made, _, _ = documents.issue(
        occasion.of_delivery(completed(one)), invoice_id=new_id(), flow_id=new_id(), number=number, now=NOW
    )
    return replace(made, due_on=date(2026, 1, 1) + timedelta(days=due), **changed)


def test_golden_references_of_iso_11649() -> None:
    # The example of the standard.
    assert is_reference("RF18539007547034")
    assert not is_reference("RF18539007547043")
    reference = payment_reference("INV-2026-000001")
    assert is_reference(reference)
    assert (number_of(reference), number_of(printed(reference))) == ("INV-2026-000001", "INV-2026-000001")


@given(st.integers(2020, 2099), st.integers(1, 10**9), st.integers(4, 16), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_one_wrong_digit_of_a_reference_is_always_caught(year: int, count: int, place: int, by: int) -> None:
    reference = payment_reference(f"INV-{year}-{count:06d}")
    at = place % len(reference)
    if reference[at].isdigit():
        wrong = reference[:at] + str((int(reference[at]) + by) % 10) + reference[at + 1 :]
        assert number_of(wrong) is None


@pytest.mark.parametrize(
    ("signals", "how"),
    [
        ({"references": (payment_reference("INV-2026-000001"),)}, "reference"),
        ({"text": f"thank you {printed(payment_reference('INV-2026-000001'))} for all"}, "reference"),
        ({"text": "Rechnung inv 2026 000001 vom 1.1."}, "number"),
        ({"text": "INV2026000001/"}, "number"),
        ({"references": ("INV-2026-000001",)}, "number"),
        ({"end_to_end_id": "INV-2026-000001"}, "end_to_end"),
    ],
)
def test_whatever_the_payer_says_names_the_invoice(signals: dict[str, Any], how: str) -> None:
    assert numbers_said(Signals(eur("1.00"), **signals)) == {"INV-2026-000001": how}


@pytest.mark.parametrize("text", ["INV-2026-0000017 XINV-2026-000001", "INV-2026-00001", "RF00INV2026000001", "2026-000001", ""])
def test_what_only_looks_like_a_number_names_nothing(text: str) -> None:
    found = numbers_said(Signals(eur("1.00"), text=text))
    assert "INV-2026-000001" not in found


def known(*named: Invoice, of_payer: tuple[Invoice, ...] = (), seen: int = 1, exact: tuple[Invoice, ...] = ()) -> Known:
    customers = {each.customer.customer_id: seen for each in of_payer}
    return Known({each.number: each for each in named}, of_payer, customers, exact)


def test_the_payers_word_counts_before_history_and_amount() -> None:
    named, other = invoice("50.00"), invoice("80.00", "INV-2026-000002")
    signals = Signals(eur("80.00"), text="INV-2026-000001", party_account="DE1")
    found = suggest(signals, known(named, of_payer=(other,), exact=(other,)), "oldest_due_first")
    assert (found.confidence, found.parts) == (Decimal("0.97"), ((named.id, eur("50.00")),))
    assert [reason.code for reason in found.reasons] == ["number", "overpaid"]
    assert "30.00 EUR" in found.reasons[1].text


def test_who_names_what_is_paid_is_looked_at_by_a_person() -> None:
    paid, other = invoice("50.00", paid=eur("50.00")), invoice("50.00", "INV-2026-000002")
    signals = Signals(eur("50.00"), text="INV-2026-000001", party_account="DE1")
    found = suggest(signals, known(paid, of_payer=(other,)), "oldest_due_first")
    assert (found.confidence, found.parts) == (Decimal("0.40"), ((other.id, eur("50.00")),))
    assert found.reasons[0].code == "paid_already"


@pytest.mark.parametrize(
    ("amount", "confidence", "code"),
    [("80.00", "0.92", "amount_exact"), ("130.00", "0.90", "amount_of_all"), ("60.00", "0.70", "policy")],
)
def test_a_known_payer_is_matched_by_the_amount_and_else_by_the_policy(amount: str, confidence: str, code: str) -> None:
    old, new = invoice("50.00", due=1), invoice("80.00", "INV-2026-000002", due=9)
    new = replace(new, customer=old.customer)
    found = suggest(Signals(eur(amount), party_account="DE1"), known(of_payer=(new, old), seen=3), "oldest_due_first")
    assert (str(found.confidence), [reason.code for reason in found.reasons]) == (confidence, ["payer_known", code])
    assert "3 times" in found.reasons[0].text
    if code == "policy":
        assert found.parts == ((old.id, eur("50.00")), (new.id, eur("10.00")))


def test_an_amount_alone_is_only_suggested_and_a_like_name_says_more() -> None:
    one = invoice("50.00", customer=Customer(customer_id=new_id(), name="Müller Söhne GmbH", country="DE"))
    two = invoice("50.00", "INV-2026-000002")
    signals = Signals(eur("50.00"), party="MÜLLER SÖHNE")
    assert suggest(signals, known(exact=(one,)), "proportional").confidence == Decimal("0.80")
    assert suggest(replace(signals, party="Someone"), known(exact=(one,)), "proportional").confidence == Decimal("0.60")
    assert suggest(replace(signals, party=""), known(exact=(one, two)), "proportional").confidence == Decimal("0.30")
    chosen = suggest(signals, known(exact=(two, one)), "proportional")
    assert (chosen.confidence, chosen.parts[0][0]) == (Decimal("0.80"), one.id)
    assert suggest(signals, known(), "proportional").parts == ()


def test_an_account_that_paid_for_several_customers_decides_nothing() -> None:
    one, two = (
        invoice("50.00"),
        invoice("80.00", "INV-2026-000002", customer=Customer(customer_id=new_id(), name="X", country="DE")),
    )
    found = suggest(Signals(eur("50.00"), party_account="DE1"), known(of_payer=(one, two)), "oldest_due_first")
    assert (found.confidence, found.reasons[0].code) == (Decimal("0.30"), "payer_of_several")


def test_policies_share_out_as_they_say() -> None:
    goods, fee, interest = (
        invoice("70.00", due=1),
        invoice("10.00", due=9, sku="DUNNING-FEE"),
        invoice("20.00", due=5, sku="LATE-INTEREST"),
    )
    owed = [fee, goods, interest]
    shown = {each.id: name for each, name in ((goods, "goods"), (fee, "fee"), (interest, "interest"))}

    def shared(amount: str, policy: Any) -> dict[str, str]:
        return {shown[invoice_id]: str(part.amount) for invoice_id, part in allocate(eur(amount), owed, policy)}

    assert shared("75.00", "oldest_due_first") == {"goods": "70.00", "interest": "5.00"}
    assert shared("75.00", "cost_interest_principal") == {"fee": "10.00", "interest": "20.00", "goods": "45.00"}
    assert shared("75.00", "proportional") == {"goods": "52.50", "interest": "15.00", "fee": "7.50"}
    # A cent that is left goes to the oldest.
    assert shared("0.02", "proportional") == {"goods": "0.02"}


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 90)), min_size=1, max_size=8),
    st.integers(1, 10**7),
    st.sampled_from(POLICIES),
)
@settings(max_examples=200, deadline=None)
def test_whatever_the_policy_parts_add_up_and_none_gets_more_than_it_claims(
    owed: list[tuple[int, int]], cents: int, policy: Any
) -> None:
    invoices = [invoice(str(Decimal(each) / 100), due=due) for each, due in owed]
    amount = eur(str(Decimal(cents) / 100))
    parts = dict(allocate(amount, invoices, policy))
    total = Money.total((each.open for each in invoices), EUR)
    assert Money.total(parts.values(), EUR) == (amount if amount < total else total)
    for each in invoices:
        assert parts.get(each.id, eur("0.00")) <= each.open
    assert all(part.amount > 0 for part in parts.values())
