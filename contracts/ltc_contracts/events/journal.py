"""What billing-svc books, for the systems that keep the company's general ledger."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Day, Event, Name, Part
from ltc_contracts.money import Money


class JournalAccount(Part):
    """What a batch books on one account. `account` is the suite's code, number and name are of the company's own chart."""

    account: Code
    account_number: Code
    account_name: Name
    debit: Money
    credit: Money
    entries: Annotated[int, Field(ge=1)]


class JournalPosted(Event):
    """Everything that an export holds of one day and currency, per account; debits and credits each add up to `total`.

    Every entry of the journal is in exactly one batch.
    """

    TOPIC: ClassVar[str] = "journal.posted"
    SUBJECT: ClassVar[str] = "batch_id"
    OF_A_FLOW: ClassVar[bool] = False

    batch_id: UUID
    export_id: UUID
    number: Annotated[Code, Field(description="of the export; each has its entries as a file at billing-svc")]
    booked_on: Day
    accounts: Annotated[tuple[JournalAccount, ...], Field(min_length=1)]
    total: Money
