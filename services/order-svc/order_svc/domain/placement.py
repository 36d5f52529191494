"""What somebody wants to order, wherever it came from; the same for a signed contract, a checkout and an ERP."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import ContractSigned, Customer, ErpOrderPlaced, Line
from ltc_contracts.money import Money

from order_svc.domain import lines as arithmetic

Source = Literal["contract", "checkout", "erp", "subscription"]
Invoicing = Literal["on_delivery", "on_confirmation"]


class ExternalRefReused(DomainError):
    """The reference names another order already: the same system placed it with other content."""

    def __init__(self, external_ref: str, number: str) -> None:
        super().__init__(f"'{external_ref}' is order {number} already, with other content", field="external_ref")
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """`contract_id` is the agreement: the signed contract's, or a new one where the order's own acceptance is the agreement.

    `payment_terms_days` is None where those agreed with the customer count (else at once).
    `parent_flow_id` is the journey that this one goes on from.
    `fingerprint` tells whether a repeated `external_ref` asks for the same; None where nothing is compared.
    """

    contract_id: UUID
    source: Source
    external_ref: str | None = None
    customer: Customer
    lines: tuple[Line, ...]
    net: Money
    payment_terms_days: int | None
    requested_on: date | None = None
    invoicing: Invoicing = "on_delivery"
    ship_complete: bool = False
    subscription_id: UUID | None = None
    period_from: date | None = None
    period_until: date | None = None
    parent_flow_id: UUID | None = None
    fingerprint: str | None = None

    @classmethod
    def of_contract(cls, contract: ContractSigned) -> "Placement":
        """As it was signed, but what is below zero is taken off the goods: a discount is nothing that could be handed over."""
        return cls(
            contract_id=contract.contract_id,
            source="contract",
            customer=contract.customer,
            lines=arithmetic.discounted(contract.lines),
            net=contract.net,
            payment_terms_days=contract.payment_terms_days,
            requested_on=contract.requested_on,
        )

    @classmethod
    def of_erp(cls, placed: ErpOrderPlaced, *, contract_id: UUID) -> "Placement":
        return cls(
            contract_id=contract_id,
            source="erp",
            external_ref=placed.external_ref,
            customer=placed.customer,
            lines=placed.lines,
            net=placed.net,
            payment_terms_days=placed.payment_terms_days,
            requested_on=placed.requested_on,
            invoicing=placed.invoicing,
            # Ids of lines may be drawn anew by whoever translates an ERP's order; they are not what was ordered.
            fingerprint=sha256(placed.model_dump_json(exclude={"lines": {"__all__": {"line_id"}}}).encode()).hexdigest(),
        )

    @property
    def fault(self) -> str | None:
        """Why nobody could invoice this, or None."""
        return arithmetic.fault(self.customer, self.lines, self.net)

    @property
    def gross(self) -> Money:
        """With tax; the bare net where the lines cannot be added up (such an order is held for it)."""
        try:
            return arithmetic.gross(self.lines, self.net)
        except DomainError:
            return self.net
