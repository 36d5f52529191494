"""Random histories of one debtor's invoices and payments, played on the domain alone: whatever is allowed, and often what is not."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import DeliveryHandedOver, Event, HandedLine
from ltc_contracts.money import Money

from billing_svc.domain import credit_note as notes
from billing_svc.domain import dispute as disputes
from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion as occasions
from billing_svc.domain import payment as cash
from billing_svc.domain import refund as refunds
from billing_svc.domain import write_off as write_offs
from billing_svc.domain.credit_note import CreditNote
from billing_svc.domain.dispute import Dispute
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry
from billing_svc.domain.payment import Claim, Payment
from billing_svc.domain.refund import Refund
from billing_svc.domain.write_off import Movement, Policy
from billing_svc.tests.builders import NOW, handed_over, line, part

POLICY = Policy(0, (), (), "test", NOW)
# What a debtor may have ordered, made once: it is the moves that vary.
ORDERED = [
    line(price, "6", discount, rate)
    for price, discount, rate in (("348.35", "4", "22"), ("0.07", "0", "19"), ("12.30", "0", "0"))
]


@dataclass(slots=True)
class Books:
    """Everything that is there, and what was booked and told; `facts` are kept apart from what the aggregates say of themselves."""

    draw: random.Random
    now: datetime = NOW
    invoices: dict[UUID, Invoice] = field(default_factory=dict)
    payments: dict[UUID, Payment] = field(default_factory=dict)
    notes: list[CreditNote] = field(default_factory=list)
    applied: dict[tuple[UUID, UUID], Decimal] = field(default_factory=dict)
    given_up: dict[UUID, Decimal] = field(default_factory=dict)
    refunds: dict[UUID, Refund] = field(default_factory=dict)
    disputes: dict[UUID, Dispute] = field(default_factory=dict)
    waiting: list[DeliveryHandedOver] = field(default_factory=list)
    told: list[DeliveryHandedOver] = field(default_factory=list)
    balance: dict[str, Decimal] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    moves: dict[str, int] = field(default_factory=dict)

    def new_id(self) -> UUID:
        return UUID(int=self.draw.getrandbits(128))

    def book(self, entry: Entry) -> None:
        debits = sum((each.debit.amount for each in entry.postings), Decimal(0))
        assert debits == sum((each.credit.amount for each in entry.postings), Decimal(0)), entry
        for each in entry.postings:
            self.balance[each.account] = self.balance.get(each.account, Decimal(0)) + each.debit.amount - each.credit.amount

    def recover(self, moved: Movement | None) -> None:
        if moved is not None:
            self.given_up[moved.invoice.id] = self.given_up.get(moved.invoice.id, Decimal(0)) + moved.amount.amount
            self.book(moved.entry)
            self.events += moved.events

    def amount(self, most: Money) -> Money:
        """Some of it, all of it, or more."""
        share = self.draw.choice(("0.1", "0.33", "0.5", "1", "1", "1.2"))
        return Money.rounded(most.amount * Decimal(share), most.currency)

    def payers(self, invoice: Invoice) -> list[tuple[Payment, Money]]:
        found = [(key[0], amount) for key, amount in self.applied.items() if key[1] == invoice.id and amount]
        return [(self.payments[payment_id], Money.of(amount, "EUR")) for payment_id, amount in found]


def deliver(books: Books) -> None:
    """A line is handed over in two parts, which are told in whatever order, and some of them twice."""
    ordered = books.draw.choice(ORDERED)
    same = {"delivery_id": books.new_id(), "order_id": books.new_id()}
    first = books.draw.randint(1, 5)
    parts: list[HandedLine] = [part(ordered, str(first)), part(ordered, str(6 - first), str(first))]
    books.waiting += [handed_over(each, handover_id=books.new_id(), **same) for each in parts]
    books.draw.shuffle(books.waiting)


def issue(books: Books) -> None:
    """One that waits, or one that was told before: a cause is invoiced once."""
    again = bool(books.told) and (not books.waiting or books.draw.random() < 0.2)
    event = books.draw.choice(books.told) if again else books.waiting.pop()
    if any(invoice.cause_id == event.handover_id for invoice in books.invoices.values()):
        return
    books.told.append(event)
    number = documents.document_number("INV", 2026, len(books.invoices) + 1)
    made = documents.issue(
        occasions.of_handover(event), invoice_id=books.new_id(), flow_id=books.new_id(), number=number, now=books.now
    )
    books.invoices[made[0].id] = made[0]
    books.book(made[1])
    books.events += made[2]


def receive(books: Books) -> None:
    claimed = sum((each.open.amount for each in books.invoices.values()), Decimal(1))
    amount = books.amount(Money.rounded(claimed, "EUR"))
    if amount.amount:
        payment, booked, events = cash.receive(
            payment_id=books.new_id(), amount=amount, method="cash", reference="x", received_on=books.now.date(), now=books.now
        )
        books.payments[payment.id] = payment
        books.book(booked)
        books.events += events


def allocate(books: Books) -> None:
    payment = books.draw.choice(list(books.payments.values()))
    named = books.draw.sample(list(books.invoices.values()), k=min(2, len(books.invoices)))
    claims = [Claim(each, books.draw.choice((None, books.amount(cash.collectable(each)).amount))) for each in named]
    payment, settled = cash.allocate(payment, claims, on=books.now.date(), now=books.now)
    books.payments[payment.id] = payment
    for each in settled:
        books.invoices[each.invoice.id] = each.invoice
        books.recover(each.recovered)
        books.book(each.entry)
        key = (payment.id, each.invoice.id)
        # What settles it last comes last.
        books.applied[key] = books.applied.pop(key, Decimal(0)) + each.amount.amount
        books.events += each.events


def unapply(books: Books) -> tuple[Payment, Invoice, Money]:
    payment_id, invoice_id = books.draw.choice(list(books.applied))
    invoice = books.invoices[invoice_id]
    amount = books.draw.choice((None, books.amount(Money.of(books.applied[payment_id, invoice_id], "EUR"))))
    made = cash.unapply(
        books.payments[payment_id],
        invoice,
        books.payers(invoice),
        amount,
        unapplication_id=books.new_id(),
        reason="x",
        by="test",
        now=books.now,
    )
    books.payments[payment_id], books.invoices[invoice_id] = made.payment, made.invoice
    books.applied[payment_id, invoice_id] -= made.amount.amount
    books.book(made.entry)
    books.events += made.events
    return made.payment, made.invoice, made.amount


def refund(books: Books) -> None:
    """Credit on account, or what settles an invoice; executed at once, later, or not at all."""
    if books.applied and books.draw.random() < 0.4:
        payment, settled, amount = unapply(books)
        invoice: Invoice | None = settled
    else:
        payment, invoice = books.draw.choice(list(books.payments.values())), None
        amount = books.amount(payment.unapplied)
    asked, payment, booked = refunds.request(
        payment, amount, invoice=invoice, refund_id=books.new_id(), reason="x", by="test", now=books.now
    )
    books.payments[payment.id], books.refunds[asked.id] = payment, asked
    books.book(booked)


def finish_refund(books: Books) -> None:
    asked = books.draw.choice(list(books.refunds.values()))
    if books.draw.random() < 0.7:
        asked, booked, events = refunds.execute(
            asked,
            reference="x",
            by="test",
            on=books.now.date(),
            earliest=asked.requested_on,
            settled=None,
            now=books.now,
        )
        books.events += events
    else:
        asked, payment, booked = refunds.withdraw(asked, books.payments[asked.payment_id], books.now)
        books.payments[payment.id] = payment
    books.refunds[asked.id] = asked
    books.book(booked)


def credit(books: Books) -> None:
    invoice = books.draw.choice(list(books.invoices.values()))
    of_it = [note for note in books.notes if note.invoice_id == invoice.id]
    if books.draw.random() < 0.5:
        lines = notes.everything(invoice, of_it)
    else:
        left = notes.left_by_line(invoice, of_it)
        lines = notes.lines_of(invoice, of_it, [notes.Wanted(key, books.amount(net)) for key, net in left.items()])
    made = notes.credit(
        invoice,
        of_it,
        lines,
        credit_id=books.new_id(),
        number=f"CN-2026-{len(books.notes) + 1:06d}",
        reason="x",
        cause="manual",
        cause_id=None,
        now=books.now,
    )
    books.invoices[invoice.id] = made.invoice
    books.notes.append(made.note)
    books.recover(made.recovered)
    for entry in made.entries:
        books.book(entry)
    books.events += made.events
    if made.note.released.amount:
        for payment, freed in cash.release(books.payers(invoice), made.note.released, books.now):
            books.payments[payment.id] = payment
            books.applied[payment.id, invoice.id] -= freed.amount
            books.invoices[invoice.id], told = cash.tell_release(
                *(books.invoices[invoice.id], payment, freed),
                credit_id=made.note.id,
                number=made.note.number,
                on=books.now.date(),
                now=books.now,
            )
            books.events.append(told)


def write_off(books: Books) -> None:
    invoice = books.draw.choice(list(books.invoices.values()))
    amount = books.draw.choice((None, books.amount(invoice.open)))
    asked = write_offs.request(
        invoice, amount, policy=POLICY, write_off_id=books.new_id(), reason="x", cause="bad_debt", by="test", now=books.now
    )
    _, moved = write_offs.grant(asked, invoice, relief=books.draw.random() < 0.5, by="boss", decision=None, now=books.now)
    books.invoices[invoice.id] = moved.invoice
    books.recover(moved)


def void(books: Books) -> None:
    invoice = books.draw.choice(list(books.invoices.values()))
    changed, booked, events = documents.void(invoice, reason="x", known=None, month_open=True, now=books.now)
    books.invoices[invoice.id] = changed
    books.book(booked)
    books.events += events


def dispute(books: Books) -> None:
    """Opened, or the one that is open is rejected: an upheld one is a credit note, as above."""
    invoice = books.draw.choice(list(books.invoices.values()))
    opened = next((each for each in books.disputes.values() if each.invoice_id == invoice.id and each.state == "open"), None)
    if opened is None:
        made = disputes.open_dispute(
            invoice, None, dispute_id=books.new_id(), category="price", reason="x", by="test", now=books.now
        )
    else:
        made = disputes.resolve(opened, invoice, "rejected", credit_id=None, resolution="x", by="test", now=books.now)
    books.disputes[made[0].id], books.invoices[invoice.id] = made[0], made[1]
    books.events += made[2]


MOVES: tuple[Callable[[Books], object], ...] = (
    *(deliver, issue, issue, receive, *[allocate] * 6, unapply, unapply, refund, finish_refund),
    *(credit, write_off, write_off, void, dispute),
)


def play(seed: int, *, length: int = 24) -> Books:
    """A history that begins with something to invoice; what the rules refuse changes nothing."""
    books = Books(random.Random(seed))
    deliver(books)
    issue(books)
    for _ in range(length):
        books.now += timedelta(hours=books.draw.randint(0, 200))
        move = books.draw.choice(MOVES)
        needs = {issue: books.waiting or books.told, allocate: books.payments, unapply: books.applied}
        needs |= {refund: books.payments, finish_refund: books.refunds}
        if move in needs and not needs[move]:
            continue
        before = dict(books.balance)
        try:
            move(books)
        except DomainError:
            assert books.balance == before
            continue
        books.moves[move.__name__] = books.moves.get(move.__name__, 0) + 1
        check(books)
    return books


def check(books: Books) -> None:
    """What must hold at every instant, from the facts and not from what the aggregates say of each other."""
    owed = Decimal(0)
    for invoice in books.invoices.values():
        paid = sum((amount for (_, of), amount in books.applied.items() if of == invoice.id), Decimal(0))
        credited = sum((note.gross.amount for note in books.notes if note.invoice_id == invoice.id), Decimal(0))
        given_up = books.given_up.get(invoice.id, Decimal(0))
        total = Decimal(0) if invoice.state == "void" else invoice.gross.amount
        assert invoice.open.amount == total - paid - credited - given_up >= 0, invoice.number
        assert min(paid, credited, given_up) >= 0
        assert (invoice.paid.amount, invoice.credited.amount, invoice.written_off.amount) == (paid, credited, given_up)
        assert Decimal(0) <= invoice.written_off_tax.amount <= given_up
        assert (invoice.open.amount == 0) == (invoice.settled_on is not None or invoice.state == "void")
        owed += invoice.open.amount
    on_account, aside = Decimal(0), Decimal(0)
    for payment in books.payments.values():
        applied = sum((amount for (of, _), amount in books.applied.items() if of == payment.id), Decimal(0))
        back = [each for each in books.refunds.values() if each.payment_id == payment.id and each.state != "withdrawn"]
        refunded = sum((each.amount.amount for each in back), Decimal(0))
        assert (payment.applied.amount, payment.refunded.amount) == (applied, refunded)
        assert payment.unapplied.amount == payment.amount.amount - applied - refunded >= 0
        on_account += payment.unapplied.amount
        aside += sum((each.amount.amount for each in back if each.state == "requested"), Decimal(0))
    account = books.balance.get
    assert sum(books.balance.values()) == 0
    assert account("receivable", 0) == owed
    assert (account("unapplied_cash", 0), account("refund", 0)) == (-on_account, -aside)
    # Conservation: what was claimed is paid, taken back, given up or open.
    given_up = sum(books.given_up.values(), Decimal(0))
    relieved = sum((each.written_off_tax.amount for each in books.invoices.values()), Decimal(0))
    assert account("bad_debt", 0) == given_up - relieved
    claimed = sum((each.gross.amount for each in books.invoices.values() if each.state != "void"), Decimal(0))
    credited = sum((note.gross.amount for note in books.notes), Decimal(0))
    assert -account("revenue", 0) - account("tax", 0) == claimed - credited - relieved
