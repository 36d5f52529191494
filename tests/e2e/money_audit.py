"""Whether the money is right: what customers kept is what they were asked for and paid, to the cent, in every book that says so."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_cli.company.suite import Json

from .order_audit import NONE, Ending, Findings, money, rounded, worth
from .order_log import Books, Log, Request, Row, by


async def audit_money(log: Log, books: Books, endings: Sequence[Ending], paid: Sequence[Request], found: Findings) -> None:
    """Invoices, credit notes and payments of these orders, and the ledger of all."""
    mine = [each.order["id"] for each in endings]
    invoices = await books.rows("billing", "SELECT * FROM invoice WHERE order_id = ANY($1) ORDER BY created_at, id", mine)
    notes = await books.rows("billing", "SELECT * FROM credit_note WHERE order_id = ANY($1) ORDER BY created_at, id", mine)
    allocated = by(await books.rows("billing", "SELECT * FROM allocation"), "invoice_id")
    receivable = by(await books.rows("order", "SELECT * FROM receivable WHERE order_id = ANY($1)", mine), "order_id")
    invoices_of, notes_of = by(invoices, "order_id"), by(notes, "order_id")
    issued, credited = log.of("invoice.issued", "order_id"), log.of("invoice.credited", "order_id")
    settled = Counter(event["invoice_id"] for event in log.by_topic["invoice.paid"])
    notes_of_invoice = by(notes, "invoice_id")
    # Nobody credits by hand here: what is, subscriptions did not serve when they ended.
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for part in (part for ended in log.by_topic["subscription.ended"] for part in ended["owed"]):
        owed[part["order_id"]] += money(part["net"])
    for each in endings:
        order_id, number = each.order["id"], each.order["number"]
        of_it, back = invoices_of[order_id], notes_of[order_id]
        _told(number, "invoices", of_it, issued[str(order_id)], "invoice_id", found)
        _told(number, "credit notes", back, credited[str(order_id)], "credit_id", found)
        _occasions(each, of_it, log, found)
        unserved = [note for note in back if note["cause"] == "manual"]
        _claims(each, of_it, [note for note in back if note["cause"] != "manual"], found)
        found.same(f"{number} not served, credited", _sum(unserved, "net"), owed[str(order_id)])
        totals = _sum(of_it, "gross"), _sum(back, "gross")
        found.same(f"{number} claimed, taken back", totals, (each.order["invoiced_amount"], each.order["credited_amount"]))
        # What was paid and then taken back is on the customer's account, and told so.
        found.same(f"{number} open by order-svc", _sum(receivable[order_id], "open"), NONE)
        for invoice in of_it:
            _invoice(invoice, notes_of_invoice[invoice["id"]], allocated[invoice["id"]], found)
            found.same(f"{invoice['number']} told as paid", settled[str(invoice["id"])], 1)
    await _payments(log, books, paid, found)
    await _ledger(books, found)


def _told(number: str, what: str, rows: Sequence[Row], events: Sequence[Json], key: str, found: Findings) -> None:
    """Each document was told once, with its figures."""
    kept = sorted((str(row["id"]), row["number"], row["net"], row["tax"], row["gross"]) for row in rows)
    told = sorted((each[key], each["number"], money(each["net"]), money(each["tax"]), money(each["gross"])) for each in events)
    found.same(f"{number} {what}: kept, told", kept, told)


def _occasions(each: Ending, invoices: Sequence[Row], log: Log, found: Findings) -> None:
    """One invoice for each hand-over, or, prepaid, one for the order and at most one for each change or replacement."""
    number, order_id = each.order["number"], str(each.order["id"])
    causes = Counter((row["cause"], row["cause_id"]) for row in invoices)
    found.check(set(causes.values()) <= {1}, number, "was invoiced twice for the same:", causes)
    if each.order["invoicing"] == "on_confirmation":
        found.same(f"{number} invoices of the whole", sum(1 for row in invoices if row["cause"] == "order"), 1)
        return
    handed = [event for event in log.by_topic["delivery.handed_over"] if event["order_id"] == order_id]
    wanted = {event["handover_id"]: money(event["net"]) for event in handed if money(event["net"])}
    found.same(f"{number} hand-overs and their invoices", wanted, {str(row["cause_id"]): row["net"] for row in invoices})


def _claims(each: Ending, invoices: Sequence[Row], notes: Sequence[Row], found: Findings) -> None:
    """Of each line the customer is asked for what they kept, and was invoiced the pieces that they got."""
    claims: dict[str, Decimal] = defaultdict(Decimal)
    pieces: dict[str, Decimal] = defaultdict(Decimal)
    for sign, documents in ((1, invoices), (-1, notes)):
        for document in documents:
            for line in document["lines"]:
                claims[line["line_id"]] += sign * money(line["net"])
                if sign == 1:
                    pieces[line["line_id"]] += Decimal(line["quantity"])
    for line_id in claims.keys() | each.kept.keys():
        kept = each.kept.get(line_id, NONE)
        owed = worth(each.lines[line_id], kept) if line_id in each.lines and each.order["state"] == "closed" else NONE
        found.same(f"{each.order['number']} line {line_id} claimed, and worth of {kept} kept", claims[line_id], owed)
        if each.order["invoicing"] == "on_delivery":
            found.same(f"{each.order['number']} line {line_id} pieces", pieces[line_id], each.handed.get(line_id, NONE))


def _invoice(invoice: Row, notes: Sequence[Row], allocated: Sequence[Row], found: Findings) -> None:
    """EN 16931 totals; what was paid and taken back adds up; nothing is open."""
    number = invoice["number"]
    bases: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for line in invoice["lines"]:
        bases[line["tax_category"], Decimal(line["tax_rate"])] += money(line["net"])
    taxes = {key: (base, rounded(base * key[1] / 100)) for key, base in bases.items()}
    found.same(f"{number} taxes", taxes, _taxes([invoice]))
    net, tax = sum(bases.values(), NONE), sum((tax for _, tax in taxes.values()), NONE)
    found.same(f"{number} totals", (invoice["net"], invoice["tax"], invoice["gross"]), (net, tax, net + tax))
    for key, (base, taken) in _taxes(notes).items():
        whole, of_it = taxes.get(key, (NONE, NONE))
        found.check(base <= whole and taken <= of_it, number, "more is credited than claimed:", key, base, taken)
        found.check(base != whole or taken == of_it, number, "is credited whole, its tax is not:", key, taken, of_it)
    for note in notes:
        found.same(f"{note['number']} totals", note["net"] + note["tax"], note["gross"])
        found.same(f"{note['number']} lines", sum((money(line["net"]) for line in note["lines"]), NONE), note["net"])
    found.same(f"{number} paid", invoice["paid"], _sum(allocated, "amount"))
    found.same(f"{number} credited", invoice["credited"], _sum(notes, "gross"))
    found.same(f"{number} open", invoice["gross"] - invoice["paid"] - invoice["credited"], NONE)


def _taxes(documents: Iterable[Row]) -> dict[tuple[str, Decimal], tuple[Decimal, Decimal]]:
    sums: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for document in documents:
        for each in document["taxes"]:
            key = each["category"], Decimal(each["rate"])
            base, tax = sums.get(key, (NONE, NONE))
            sums[key] = base + money(each["base"]), tax + money(each["tax"])
    return sums


async def _payments(log: Log, books: Books, paid: Sequence[Request], found: Findings) -> None:
    """Each accepted payment is there once, whole, and nowhere twice."""
    ids = [UUID(each.answer["id"]) for each in paid]
    numbers = [each.body["reference"] for each in paid]
    rows = {row["id"]: row for row in await books.rows("billing", "SELECT * FROM payment WHERE reference = ANY($1)", numbers)}
    found.same("payments: accepted, kept", set(ids), set(rows))
    received = log.of("payment.received", "payment_id")
    allocated = by(await books.rows("billing", "SELECT * FROM allocation WHERE payment_id = ANY($1)", ids), "payment_id")
    for request in paid:
        payment_id = UUID(request.answer["id"])
        row = rows.get(payment_id)
        if row is None:
            continue
        found.same(f"payment {payment_id} told", [money(each["amount"]) for each in received[str(payment_id)]], [row["amount"]])
        found.same(f"payment {payment_id}", row["amount"], money(request.body["amount"]), row["applied"] + row["unapplied"])
        found.same(f"payment {payment_id} applied", row["applied"], _sum(allocated[payment_id], "amount"))


async def _ledger(books: Books, found: Findings) -> None:
    """Every entry balances, the accounts are what the documents say, and no number is missing."""
    entries = await books.rows(
        "billing",
        "SELECT entry_id, sum(debit - credit) AS balance FROM ledger_line GROUP BY entry_id HAVING sum(debit) <> sum(credit)",
    )
    found.check(not entries, "entries that do not balance:", [row["entry_id"] for row in entries])
    accounts = {
        row["account"]: row["balance"]
        for row in await books.rows("billing", "SELECT account, sum(debit - credit) AS balance FROM ledger_line GROUP BY account")
    }
    invoices = await books.rows("billing", "SELECT * FROM invoice WHERE state = 'final'")
    notes = await books.rows("billing", "SELECT * FROM credit_note")
    payments = await books.rows("billing", "SELECT * FROM payment")
    late = [each for each in invoices if each["cause"] == "late_charge"]
    expected: dict[str, Any] = {
        "receivable": _sum(invoices, "gross") - _sum(invoices, "paid") - _sum(invoices, "credited"),
        "revenue": _sum(notes, "net") - _sum(invoices, "net") + _sum(late, "net"),
        "late_charges": -_sum(late, "net"),
        "tax": _sum(notes, "tax") - _sum(invoices, "tax"),
        "cash": _sum(payments, "amount"),
        "unapplied_cash": -_sum(payments, "unapplied"),
    }
    found.same("accounts", {account: accounts.get(account, NONE) for account in expected}, expected)
    found.same("trial balance", sum(accounts.values(), NONE), NONE)
    for documents in (invoices, notes):
        series: dict[str, list[int]] = defaultdict(list)
        for row in documents:
            prefix, _, count = row["number"].rpartition("-")
            series[prefix].append(int(count))
        for prefix, counts in series.items():
            found.check(sorted(counts) == list(range(1, len(counts) + 1)), prefix, "numbers have gaps or repeat")


def _sum(rows: Iterable[Row], column: str) -> Decimal:
    return sum((row[column] for row in rows), NONE)
