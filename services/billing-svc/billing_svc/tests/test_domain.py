from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Line
from ltc_contracts.money import Money

from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion as occasions
from billing_svc.domain import payment as cash
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry
from billing_svc.domain.payment import Claim, Payment
from billing_svc.tests.builders import NOW, completed, line

PRICES = st.decimals("0.01", "9999.99", places=2)


def issue(*lines: Line) -> Invoice:
    return documents.issue(
        occasions.of_delivery(completed(*lines)), invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW
    )[0]


def receive(amount: str) -> tuple[Payment, Entry]:
    return cash.receive(
        payment_id=new_id(), amount=Money.of(amount, "EUR"), method="cash", reference="x", received_on=NOW.date(), now=NOW
    )[:2]


def test_the_golden_invoice() -> None:
    invoice = issue()
    assert (str(invoice.net.amount), str(invoice.tax.amount), str(invoice.gross.amount)) == ("5350.66", "1177.15", "6527.81")
    assert str(invoice.due_on) == "2026-01-31"


@given(st.lists(st.tuples(PRICES, st.integers(1, 99), st.sampled_from(["0", "7", "19", "22"])), min_size=1, max_size=10))
def test_totals_are_exact_sums_and_tax_is_by_rate(rows: list[tuple[Decimal, int, str]]) -> None:
    invoice = issue(*(line(str(price), str(count), "0", rate) for price, count, rate in rows))
    assert invoice.net + invoice.tax == invoice.gross
    assert invoice.tax.amount == sum(each.tax.amount for each in invoice.taxes)
    for each in invoice.taxes:
        assert each.tax == Money.rounded(each.base.amount * each.rate / 100, "EUR")
    assert sum(each.base.amount for each in invoice.taxes) == invoice.net.amount


def test_a_delivery_whose_arithmetic_is_wrong_is_not_invoiced() -> None:
    good = line()
    with pytest.raises(Invalid, match="should be"):
        issue(good.model_copy(update={"net": good.net + Money.of("0.01", "EUR")}))
    with pytest.raises(Invalid, match="add up"):
        occasions.of_delivery(completed(good, net=Money.of("1.00", "EUR")))


@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        ("your inv-2026-000017, and INV-2026-000001.", ["INV-2026-000017", "INV-2026-000001"]),
        ("INV-2026-000001 INV-2026-000001", ["INV-2026-000001"]),
        ("XINV-2026-000001 INV-2026-00001", []),
        ("", []),
    ],
)
def test_a_reference_names_whole_invoice_numbers(reference: str, numbers: list[str]) -> None:
    assert cash.numbers_in(reference) == numbers


@given(st.lists(st.tuples(PRICES, st.integers(0, 2), st.none() | PRICES), max_size=12))
def test_whatever_is_paid_and_applied_no_cent_appears_or_disappears(moves: list[tuple[Decimal, int, Decimal | None]]) -> None:
    invoices = [issue(), issue(line("100.00", "1", "0", "19")), issue(line("0.01", "1", "0", "0"))]
    balance: dict[str, Decimal] = {}
    for amount, index, part in moves:
        paid, booked = receive(str(amount))
        entries = [booked]
        try:
            paid, settlements = cash.allocate(paid, [Claim(invoices[index], part)], on=NOW.date(), now=NOW)
        except DomainError:
            settlements = []
        for made in settlements:
            invoices[index] = made.invoice
            entries.append(made.entry)
        for entry in entries:
            for posting in entry.postings:
                balance[posting.account] = balance.get(posting.account, Decimal(0)) + posting.debit.amount - posting.credit.amount
        assert paid.applied + paid.unapplied == paid.amount
        assert paid.unapplied.amount >= 0
    assert sum(balance.values()) == 0
    assert -balance.get("receivable", Decimal(0)) == sum(invoice.paid.amount for invoice in invoices)
    assert all(invoice.open.amount >= 0 for invoice in invoices)
