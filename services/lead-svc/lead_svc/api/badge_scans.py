"""HTTP in: badges scanned at a fair, by scanners that are offline for hours."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import MB, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Moment
from ltc_contracts.events import Contact
from ltc_contracts.events.model import Code, Country, Name, Text
from pydantic import Field, ValidationError

from lead_svc.api.bulk import MOST_ROWS, Malformed, RowsView, views
from lead_svc.api.leads import Body, NewContact
from lead_svc.domain.campaign import Campaign
from lead_svc.domain.consent import Consent
from lead_svc.domain.lead import blank
from lead_svc.handlers import badge_scans as handlers
from lead_svc.handlers.capture import Arrival

router = make_router(prefix="/v1", tags=["campaigns"])
# Ids of machines; without a colon, which joins them.
Device = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ScanId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


class OptIn(Body):
    """The person agreed to be written to, in these words."""

    wording: Annotated[str, Field(min_length=1, max_length=2000)]
    wording_version: Annotated[str, Field(max_length=64)] | None = None


class Scan(Body):
    """One badge. `occurred_at` is when it was scanned, by the scanner's clock; (device_id, scan_id) is its key."""

    device_id: Device
    scan_id: ScanId
    occurred_at: Moment
    company: Name | None = None
    country: Country | None = None
    industry: Code | None = None
    contact: NewContact | None = None
    badge: Annotated[dict[Name, Text], Field(max_length=20, description="what else stands on it")] = Field(default_factory=dict)
    notes: Text | None = None
    rating: Literal["hot", "warm", "cold"] | None = None
    interest: Annotated[list[Name], Field(max_length=20)] = Field(default_factory=list)
    opt_in: OptIn | None = None

    @property
    def reference(self) -> str:
        """By which the lead is known."""
        return f"scan:{self.device_id}:{self.scan_id}"

    def arrival(self, fair: Campaign, now: datetime) -> Arrival:
        """The lead on its way in; notes, rating and interest are attributes."""
        more = {"booth_notes": self.notes, "rating": self.rating, "interest": "; ".join(self.interest), "scanner": self.device_id}
        lead = blank(
            id=new_id(),
            flow_id=new_id(),
            captured_via="event",
            channel=fair.channel,
            source=fair.name,
            campaign=fair.code,
            company=self.company,
            country=self.country,
            industry=self.industry,
            contact=Contact(**self.contact.model_dump()) if self.contact else None,
            external_ref=self.reference,
            attributes={**self.badge, **{name: value for name, value in more.items() if value}},
            created_at=self.occurred_at,
            updated_at=now,
        )
        return Arrival(lead)


class NewScans(Body):
    """What scanners of one fair have collected; `campaign` is of a channel of kind event."""

    campaign: Code
    scans: Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS)]


class ScansView(RowsView):
    """As for many leads. `server_time`: by it a scanner sets its clock."""

    server_time: datetime


@router.post("/badge-scans", response_model=ScansView, dependencies=[scope("leads:write"), body_up_to(4 * MB)])
async def take_scans(body: NewScans, tx: Tx, caller: Annotated[Principal, scope("leads:write")]) -> Response:
    """Up to 1,000 scans, each taken or refused by itself; one that comes again is known. However late they come, they happened then."""
    fair = await handlers.fair_of(tx, body.campaign)
    shapes = [_shape(scan) for scan in body.scans]
    rows = [scan.arrival(fair, tx.now) if isinstance(scan, Scan) else Malformed(scan) for scan in shapes]
    agreed = [_consent(scan, caller.subject, tx.now) if isinstance(scan, Scan) else None for scan in shapes]
    results = await handlers.take_scans(tx, rows, agreed)
    references = [scan.reference if isinstance(scan, Scan) else None for scan in shapes]
    found = await views(tx, results, references, reads=bool(caller.scopes & {"leads:read", "*"}))
    view = ScansView(**dict(RowsView.of(found)), server_time=tx.now)
    return Response(view.model_dump_json(exclude_none=True), media_type="application/json")


def _shape(scan: Any) -> Scan | ValidationError:
    try:
        return Scan.model_validate(scan)
    except ValidationError as error:
        return error


def _consent(scan: Scan, by: str, now: datetime) -> Consent | None:
    if scan.opt_in is None:
        return None
    evidence = {"device": scan.device_id, "scan": scan.scan_id}
    # The lead and the moment are known when it is taken.
    nobody = UUID(int=0)
    return Consent(
        new_id(),
        nobody,
        "marketing",
        True,
        now,
        scan.opt_in.wording,
        "badge scan",
        evidence,
        by,
        now,
        scan.opt_in.wording_version,
    )
