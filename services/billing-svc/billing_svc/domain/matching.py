"""Which invoices a payment is for: suggestions with a confidence and the reasons, by the order of RULES 5.

What the payer says counts first (structured reference, invoice numbers in the text, end-to-end id), then what is known of the payer
and the amount. Nothing below the threshold of the setting is applied without a person.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.money import Money

from billing_svc.domain import allocation
from billing_svc.domain.allocation import Policy
from billing_svc.domain.invoice import SERIES, Invoice
from billing_svc.domain.reference import number_of, numbers_of_references

How = Literal["reference", "number", "end_to_end"]
# Banks drop hyphens, put blanks for them and change the case. Whole numbers only, as in `payment.numbers_in`.
_NUMBER = re.compile(rf"(?<![0-9A-Z]){SERIES}[ ./_-]{{0,2}}([0-9]{{4}})[ ./_-]{{0,2}}([0-9]{{6,12}})(?![0-9A-Z])")
_CONFIDENCE: dict[How, tuple[Decimal, str]] = {
    "reference": (Decimal("0.99"), "the payment reference names {}"),
    "number": (Decimal("0.97"), "the text names {}"),
    "end_to_end": (Decimal("0.95"), "the end-to-end id names {}"),
}
_KNOWN_AND_EXACT, _KNOWN_AND_ALL, _KNOWN = Decimal("0.92"), Decimal("0.90"), Decimal("0.70")
_NAMED_AND_EXACT, _EXACT, _ONE_OF_SEVERAL, NOTHING = Decimal("0.80"), Decimal("0.60"), Decimal("0.30"), Decimal(0)
_ALREADY_PAID = Decimal("0.40")


@dataclass(frozen=True, slots=True)
class Signals:
    """What came with a payment."""

    amount: Money
    text: str = ""
    references: tuple[str, ...] = ()
    end_to_end_id: str = ""
    party: str = ""
    party_account: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, for a program and for a person."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a payment is for. `parts` are amounts of invoices; what they leave stays on account. `confidence` 0 to 1."""

    confidence: Decimal
    reasons: tuple[Reason, ...]
    parts: tuple[tuple[UUID, Money], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is there to match with. `named` by number; `of_payer` are open invoices of the customers who paid from this account
    before (`seen`: how often, by customer); `exact` are open invoices of just this amount; `charges` are claimed for the named ones'
    being late."""

    named: Mapping[str, Invoice]
    of_payer: Sequence[Invoice]
    seen: Mapping[UUID, int]
    exact: Sequence[Invoice]
    charges: Sequence[Invoice] = ()


def numbers_said(signals: Signals) -> dict[str, How]:
    """The invoice numbers that the payer names, in the order in which they count, each with how."""
    found: dict[str, How] = {}
    for reference in signals.references:
        number = number_of(reference)
        if number is not None:
            found.setdefault(number, "reference")
    for number in numbers_of_references(signals.text):
        found.setdefault(number, "reference")
    for text in (signals.text, *signals.references):
        for number in _in_text(text):
            found.setdefault(number, "number")
    for number in _in_text(signals.end_to_end_id) + numbers_of_references(signals.end_to_end_id):
        found.setdefault(number, "end_to_end")
    return found


def suggest(signals: Signals, known: Known, policy: Policy) -> Suggestion:
    """The best that can be said of a payment. Only invoices that can take something of it are considered."""
    said = numbers_said(signals)
    named = [known.named[number] for number in said if number in known.named]
    open_named = [invoice for invoice in named if _takes(invoice, signals.amount)]
    reasons = [
        Reason("paid_already", f"{each.number} claims nothing of {each.gross.currency} any more")
        for each in named
        if each not in open_named
    ]
    if open_named:
        how = max((said[invoice.number] for invoice in open_named), key=lambda each: -_CONFIDENCE[each][0])
        reasons += [Reason(said[each.number], _CONFIDENCE[said[each.number]][1].format(each.number)) for each in open_named]
        charges = [each for each in known.charges if each not in open_named and _takes(each, signals.amount)]
        claimed = allocation.with_charges(open_named, charges, policy)
        reasons.append(_of_amount(signals.amount, claimed))
        return Suggestion(_CONFIDENCE[how][0], tuple(reasons), allocation.in_order(signals.amount, claimed))
    found = _by_payer(signals, known, policy) or _by_amount(signals, known)
    # Who names what is paid already may have paid twice: a person looks at it.
    confidence = min(found.confidence, _ALREADY_PAID) if reasons else found.confidence
    return Suggestion(confidence, (*reasons, *found.reasons), found.parts)


def _by_payer(signals: Signals, known: Known, policy: Policy) -> Suggestion | None:
    theirs = [invoice for invoice in known.of_payer if _takes(invoice, signals.amount)]
    if not theirs:
        return None
    times = sum(known.seen.values())
    seen = Reason("payer_known", f"{signals.party_account} paid for this customer {times} time{'s' if times > 1 else ''} before")
    if len(known.seen) > 1:
        return Suggestion(
            _ONE_OF_SEVERAL,
            (Reason("payer_of_several", f"{signals.party_account} paid for {len(known.seen)} customers"),),
            allocation.allocate(signals.amount, theirs, policy),
        )
    exact = [invoice for invoice in theirs if invoice.open == signals.amount]
    if len(exact) == 1:
        why = Reason("amount_exact", f"the amount is what {exact[0].number} claims")
        return Suggestion(_KNOWN_AND_EXACT, (seen, why), allocation.in_order(signals.amount, exact))
    if Money.total((invoice.open for invoice in theirs), signals.amount.currency) == signals.amount:
        why = Reason("amount_of_all", "the amount is all that the customer owes")
        return Suggestion(_KNOWN_AND_ALL, (seen, why), allocation.in_order(signals.amount, theirs))
    why = Reason("policy", f"no invoice is named: {policy.replace('_', ' ')}")
    return Suggestion(_KNOWN, (seen, why), allocation.allocate(signals.amount, theirs, policy))


def _by_amount(signals: Signals, known: Known) -> Suggestion:
    exact = [invoice for invoice in known.exact if _takes(invoice, signals.amount)]
    if not exact:
        return Suggestion(NOTHING, (Reason("nothing", "nothing that came with it leads to an invoice"),), ())
    alike = [invoice for invoice in exact if _same_name(signals.party, invoice.customer.name)]
    chosen = (alike or exact)[0]
    reasons = [Reason("amount_exact", f"the amount is what {chosen.number} claims")]
    if alike:
        reasons.append(Reason("name", f"{signals.party} is like {chosen.customer.name}"))
    if len(alike or exact) > 1:
        reasons.append(Reason("one_of_several", f"{len(alike or exact)} invoices claim this amount"))
        return Suggestion(_ONE_OF_SEVERAL, tuple(reasons), allocation.in_order(signals.amount, [chosen]))
    return Suggestion(_NAMED_AND_EXACT if alike else _EXACT, tuple(reasons), allocation.in_order(signals.amount, [chosen]))


def _of_amount(amount: Money, invoices: Sequence[Invoice]) -> Reason:
    owed = Money.total((invoice.open for invoice in invoices), amount.currency)
    if owed == amount:
        return Reason("amount_exact", "the amount is what they claim")
    if owed < amount:
        return Reason("overpaid", f"{amount - owed} more than they claim stays on account")
    return Reason("partial", f"{owed - amount} stays open")


def _takes(invoice: Invoice, amount: Money) -> bool:
    return invoice.state == "final" and invoice.open.amount > 0 and invoice.gross.currency == amount.currency


def _in_text(text: str) -> list[str]:
    return [f"{SERIES}-{year}-{count}" for year, count in _NUMBER.findall(text.upper())]


def _same_name(one: str, other: str) -> bool:
    """Every word of three letters or more of one is in the other; banks cut names and drop accents."""
    words = [set(re.findall(r"\w{3,}", name.casefold())) for name in (one, other)]
    return bool(words[0]) and bool(words[1]) and (words[0] <= words[1] or words[1] <= words[0])
