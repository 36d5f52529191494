"""Which of several claims a payment settles when the payer does not say (RULES 5, third step): a policy that is data.

`oldest_due_first`: by due day. `cost_interest_principal`: costs (fees of dunning) before interest before what was sold, each by due day.
`proportional`: each by its share of what is owed, in whole minor units; the cents left go to the oldest.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Literal, get_args
from uuid import UUID

from ltc_contracts.money import Money, minor_units

from billing_svc.domain.invoice import Invoice

Policy = Literal["oldest_due_first", "cost_interest_principal", "proportional"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Nature = Literal["cost", "interest", "principal"]
_RANK: dict[Nature, int] = {"cost": 0, "interest": 1, "principal": 2}
Parts = tuple[tuple[UUID, Money], ...]
# What an invoice claims, by the code of its lines; all others are what was sold.
_NATURES: dict[str, Nature] = {
    "DUNNING-FEE": "cost",
    "LATE-FEE": "cost",
    "DUNNING-INTEREST": "interest",
    "LATE-INTEREST": "interest",
}


def nature(invoice: Invoice) -> Nature:
    """What an invoice claims: costs or interest when all of its lines are, else principal."""
    found = {_NATURES.get(line.sku.upper(), "principal") for line in invoice.lines}
    return found.pop() if len(found) == 1 else "principal"


def in_order(amount: Money, invoices: Sequence[Invoice]) -> Parts:
    """Each as much as it claims and is left, in the given order."""
    parts: list[tuple[UUID, Money]] = []
    left = amount
    for invoice in invoices:
        part = invoice.open if invoice.open < left else left
        if part.amount > 0:
            parts.append((invoice.id, part))
            left = left - part
    return tuple(parts)


def allocate(amount: Money, invoices: Sequence[Invoice], policy: Policy) -> Parts:
    """What each gets, at most what it claims; together the amount, or all that is owed. Those of nothing are left out."""
    if policy == "proportional":
        return _proportional(amount, sorted(invoices, key=_by_due))
    key: Callable[[Invoice], tuple[object, ...]] = _by_due if policy == "oldest_due_first" else _by_nature
    return in_order(amount, sorted(invoices, key=key))


def with_charges(named: Sequence[Invoice], charges: Sequence[Invoice], policy: Policy) -> list[Invoice]:
    """In which order a payment settles the invoices that it names and what is claimed for their being late.

    By `cost_interest_principal` also money for a named invoice counts on its costs first, as the civil codes have it.
    """
    every = [*named, *charges]
    return sorted(every, key=lambda invoice: _RANK[nature(invoice)]) if policy == "cost_interest_principal" else every


def _proportional(amount: Money, invoices: Sequence[Invoice]) -> Parts:
    owed = Money.total((invoice.open for invoice in invoices), amount.currency)
    if owed <= amount:
        return in_order(amount, invoices)
    cent = Decimal(1).scaleb(-minor_units(amount.currency))
    shares = [(amount.amount * invoice.open.amount / owed.amount).quantize(cent, rounding=ROUND_FLOOR) for invoice in invoices]
    left = amount.amount - sum(shares)
    for place, invoice in enumerate(invoices):
        # Rounded down, there are fewer cents left than invoices; none gets more than it claims.
        if left > 0 and shares[place] + cent <= invoice.open.amount:
            shares[place] += cent
            left -= cent
    return tuple(
        (invoice.id, Money.of(share, amount.currency)) for invoice, share in zip(invoices, shares, strict=True) if share > 0
    )


def _by_due(invoice: Invoice) -> tuple[object, ...]:
    return (invoice.falls_due_on, invoice.issued_on, str(invoice.id))


def _by_nature(invoice: Invoice) -> tuple[object, ...]:
    return (_RANK[nature(invoice)], *_by_due(invoice))
