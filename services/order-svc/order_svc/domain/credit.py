"""Credit: what a customer may owe, and what they owe by now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money


class CreditAccountNotFound(NotFound):
    """Nothing was ever said of this customer's credit."""

    def __init__(self, customer_id: UUID) -> None:
        super().__init__(f"no credit account of customer {customer_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is agreed with a customer: limits of what may be open, gross, by currency. A currency without one has no limit."""

    customer_id: UUID
    version: int
    blocked: bool = False
    limits: Mapping[str, Money] = field(default_factory=dict)
    payment_terms_days: int | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is open in one currency, gross: claimed by invoices, and by confirmed orders that are not (wholly) invoiced."""

    receivables: Money
    uninvoiced: Money

    @property
    def total(self) -> Money:
        return self.receivables + self.uninvoiced


def objection(account: Account | None, exposure: Exposure, gross: Money, *, dunned: Sequence[str] = ()) -> str | None:
    """Why an order of `gross` cannot be taken on credit (RULES 3): open + not yet invoiced + this order <= limit. None: it can.

    `dunned`: invoices whose dunning holds further orders, whatever the limit (RULES 5).
    """
    if dunned:
        return f"payment of {', '.join(dunned)} is demanded"
    if account is None:
        return None
    if account.blocked:
        return "the customer is blocked"
    limit = account.limits.get(gross.currency)
    if limit is None or exposure.total + gross <= limit:
        return None
    return f"{gross} are needed, {limit - exposure.total} of the limit of {limit} are left"


def change(
    account: Account | None,
    customer_id: UUID,
    *,
    blocked: bool,
    limits: Mapping[str, Money],
    payment_terms_days: int | None,
) -> Account:
    """The next version of what is agreed. Raises `Invalid` for a negative limit."""
    for limit in limits.values():
        if limit.amount < Decimal(0):
            raise Invalid("a limit is zero or more", field="limits")
    return Account(
        customer_id=customer_id,
        version=1 if account is None else account.version + 1,
        blocked=blocked,
        limits=limits,
        payment_terms_days=payment_terms_days,
    )
