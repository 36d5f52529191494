"""Credit notes add up to their invoice to the cent and never pass it; what was paid of them is the customer's again."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Line
from ltc_contracts.money import Money

from billing_svc.domain import credit_note as notes
from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion as occasions
from billing_svc.domain import payment as cash
from billing_svc.domain.credit_note import Crediting, CreditNote, NothingToCredit, TooMuchCredited, Wanted
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.payment import Claim
from billing_svc.tests.builders import NOW, completed, line

ZERO = Money.zero("EUR")


def issue(*lines: Line) -> Invoice:
    occasion = occasions.of_delivery(completed(*lines))
    return documents.issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)[0]


def credit(invoice: Invoice, earlier: list[CreditNote], wanted: list[Wanted] | None) -> Crediting:
    lines = notes.everything(invoice, earlier) if wanted is None else notes.lines_of(invoice, earlier, wanted)
    return notes.credit(
        invoice,
        earlier,
        lines,
        credit_id=new_id(),
        number="CN-2026-000001",
        reason="came back",
        cause="manual",
        cause_id=None,
        now=NOW,
    )


def paid(invoice: Invoice, amount: str) -> Invoice:
    money = Money.of(amount, "EUR")
    payment = cash.receive(payment_id=new_id(), amount=money, method="cash", reference="x", received_on=NOW.date(), now=NOW)[0]
    return cash.allocate(payment, [Claim(invoice)], on=NOW.date(), now=NOW)[1][0].invoice


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_golden_credit_notes_of_each_line_add_up_and_the_last_absorbs_the_residual(order: tuple[int, ...]) -> None:
    lines = [line(price, "1", "0", "20") for price in ("68.33", "68.33", "57.50", "85.00")]
    invoice = issue(*lines)
    assert (str(invoice.net.amount), str(invoice.tax.amount), str(invoice.gross.amount)) == ("279.16", "55.83", "334.99")
    made: list[CreditNote] = []
    for position in order:
        done = credit(invoice, made, [Wanted(lines[position].line_id)])
        invoice, made = done.invoice, [*made, done.note]
    by_itself = [Money.rounded(note.net.amount * 20 / 100, "EUR") for note in made]
    assert [note.tax for note in made[:3]] == by_itself[:3]
    assert by_itself[3] - made[3].tax == Money.of("0.01", "EUR")
    assert Money.total((note.tax for note in made), "EUR") == invoice.tax
    assert Money.total((note.gross for note in made), "EUR") == invoice.gross == invoice.credited
    with pytest.raises(NothingToCredit):
        credit(invoice, made, None)


LINES = st.lists(
    st.tuples(st.decimals("0.01", "999.99", places=2), st.integers(1, 9), st.sampled_from(["0", "7", "19", "20", "25.5"])),
    min_size=1,
    max_size=6,
)
PARTS = st.lists(st.tuples(st.integers(0, 5), st.decimals("0.01", "400", places=2)), max_size=25)


@given(LINES, PARTS, st.decimals("0.01", "9999", places=2))
def test_whatever_is_credited_in_whatever_parts_it_never_passes_the_invoice_and_all_of_it_is_the_invoice(
    rows: list[tuple[Decimal, int, str]], parts: list[tuple[int, Decimal]], cash_in: Decimal
) -> None:
    lines = [line(str(price), str(count), "3", rate) for price, count, rate in rows]
    invoice = issue(*lines)
    if invoice.gross.amount == 0:
        return
    invoice = paid(invoice, str(cash_in))
    before, made, free = invoice.paid, list[CreditNote](), ZERO
    steps: list[list[Wanted] | None] = [[Wanted(lines[index % len(lines)].line_id, Money.of(net, "EUR"))] for index, net in parts]
    for wanted in [*steps, None]:
        try:
            done = credit(invoice, made, wanted)
        except TooMuchCredited:
            continue
        except NothingToCredit:
            assert invoice.credited == invoice.gross
            continue
        balance = {name: Decimal(0) for name in ("revenue", "tax", "receivable", "unapplied_cash")}
        for entry in done.entries:
            for posting in entry.postings:
                balance[posting.account] += posting.debit.amount - posting.credit.amount
        assert sum(balance.values()) == 0
        assert balance["receivable"] == done.invoice.open.amount - invoice.open.amount
        invoice, made, free = done.invoice, [*made, done.note], free + done.note.released
        assert all(note.tax.amount >= 0 and note.net + note.tax == note.gross for note in made)
        assert invoice.open.amount >= 0
        assert invoice.paid + free == before
        for (category, rate), (base, tax) in notes.credited_by_rate(made).items():
            whole = next(each for each in invoice.taxes if (each.category, each.rate) == (category, rate))
            assert base <= whole.base
            assert tax <= whole.tax
            exact = base.amount * rate / 100
            assert abs(tax.amount - exact) <= Decimal("0.015")
    assert Money.total((note.net for note in made), "EUR") == invoice.net
    assert Money.total((note.tax for note in made), "EUR") == invoice.tax
    assert invoice.credited == invoice.gross
    assert (invoice.open, invoice.paid, free) == (ZERO, ZERO, before)
    assert not invoice.is_overdue(invoice.due_on.replace(year=2030))


def test_more_than_is_left_of_a_line_or_of_the_invoice_is_refused() -> None:
    product, discount = line("100.00", "1", "0"), line("-20.00", "1", "0")
    invoice = issue(product, discount)
    with pytest.raises(TooMuchCredited, match="are left to credit"):
        credit(invoice, [], [Wanted(product.line_id, Money.of("100.01", "EUR"))])
    with pytest.raises(TooMuchCredited, match="at 22 %"):
        credit(invoice, [], [Wanted(product.line_id)])
    with pytest.raises(Invalid, match="named twice"):
        credit(invoice, [], [Wanted(product.line_id, Money.of("1.00", "EUR"))] * 2)
    part = credit(invoice, [], [Wanted(product.line_id, Money.of("80.00", "EUR"))])
    assert part.invoice.open == ZERO


def test_what_was_paid_beyond_the_rest_is_released_and_nothing_open_is_told_once() -> None:
    invoice = paid(issue(line("100.00", "1", "0", "0")), "70.00")
    [name] = [each.line_id for each in invoice.lines]
    first = credit(invoice, [], [Wanted(name, Money.of("50.00", "EUR"))])
    assert (first.invoice.paid, first.note.released, first.invoice.open) == (
        Money.of("50.00", "EUR"),
        Money.of("20.00", "EUR"),
        ZERO,
    )
    told = first.events[-1]
    assert (told.TOPIC, getattr(told, "credited", None)) == ("invoice.paid", Money.of("50.00", "EUR"))
    second = credit(first.invoice, [first.note], None)
    assert [event.TOPIC for event in second.events] == ["invoice.credited"]
    assert second.note.released == Money.of("50.00", "EUR")


def test_payments_give_back_what_they_settled_last_first() -> None:
    payments = [
        cash.receive(
            payment_id=new_id(), amount=Money.of(amount, "EUR"), method="cash", reference="x", received_on=NOW.date(), now=NOW
        )[0]
        for amount in ("60.00", "40.00")
    ]
    applied = [(replace(each, applied=each.amount), each.amount) for each in payments]
    given_back = cash.release(applied, Money.of("50.00", "EUR"), NOW)
    assert [(each.id, str(part.amount)) for each, part in given_back] == [(payments[1].id, "40.00"), (payments[0].id, "10.00")]
    assert [str(each.unapplied.amount) for each, _ in given_back] == ["40.00", "10.00"]
    with pytest.raises(ValueError, match="paid by nobody"):
        cash.release(applied, Money.of("100.01", "EUR"), NOW)
