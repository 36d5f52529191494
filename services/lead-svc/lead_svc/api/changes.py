"""HTTP in: a lead's facts change, and who changed them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from lead_svc.api.leads import Body, LeadView, NewContact, Own, get_lead
from lead_svc.handlers import changes as handlers
from lead_svc.store import leads as store

router = make_router(prefix="/v1/leads", tags=["leads"])


class LeadChange(Body):
    """What is named changes, a null clears; of `contact` and `custom` as well only what they name. `version` is the one that was read."""

    version: Annotated[int, Field(ge=1, le=2_000_000_000)]
    campaign: Name | None = None
    company: Name | None = None
    country: Country | None = None
    industry: Code | None = None
    company_size: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    website: Annotated[str, Field(max_length=500)] | None = None
    region: Name | None = None
    channel_group: Code | None = None
    estimated_value: Money | None = None
    contact: NewContact | None = None
    custom: Own | None = None

    def given(self) -> dict[str, Any]:
        """What the caller named."""
        fields = {name: getattr(self, name) for name in self.model_fields_set - {"version"}}
        if self.contact is not None:
            fields["contact"] = self.contact.model_dump(exclude_unset=True)
        return fields


class LeadChangeView(BaseModel):
    """`changes`: name to [before, after]; null for personal data, of which only the change is kept."""

    id: UUID
    version: int
    by: str
    at: datetime
    changes: dict[str, list[Any] | None]


@router.patch("/{lead_id}", dependencies=[scope("leads:write")])
async def change_lead(lead_id: UUID, body: LeadChange, tx: Tx, caller: Annotated[Principal, scope("leads:write")]) -> LeadView:
    """Correct or complete a lead; it is recognised, classified and scored anew."""
    await handlers.change_lead(tx, lead_id, body.given(), version=body.version, by=caller.subject)
    return await get_lead(lead_id, tx.conn, tx.now)


@router.get("/{lead_id}/changes", dependencies=[scope("leads:read")])
async def list_changes(lead_id: UUID, conn: Conn, page: PageArgs) -> Page[LeadChangeView]:
    """Who changed the lead's facts, when, from what to what."""
    await store.get_lead(conn, lead_id)
    rows = await store.list_changes(conn, lead_id, after=page.after, limit=page.limit + 1)
    return page.of([LeadChangeView(**dict(row)) for row in rows], key=lambda view: view.id)
