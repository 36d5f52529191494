"""HTTP in: channels, campaigns, and what they cost per day."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import UploadFile
from ltc_chassis.api import KB, MB, Conn, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day, Moment
from ltc_contracts.errors import Invalid
from ltc_contracts.events.model import Code, Name
from ltc_contracts.money import Money, round_half_up
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.api.imports import FileTooLarge
from lead_svc.domain.campaign import Campaign, Channel, Kind, RefusedRow, Spend, read_spend
from lead_svc.handlers import campaigns as handlers
from lead_svc.store import campaigns as store

router = make_router(prefix="/v1", tags=["campaigns"])
Writer = Annotated[Principal, scope("campaigns:write")]
Count = Annotated[int, Field(ge=0, lt=10**15)]
_LARGEST_FILE = MB
_MOST_ROWS = 10_000
_LONGEST_WINDOW = timedelta(days=400)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewChannel(Body):
    code: Code
    label: Name
    kind: Kind


class ChannelView(NewChannel):
    created_by: str
    created_at: datetime


class NewCampaign(Body):
    """`code` is what leads and links name it by (utm_campaign)."""

    code: Code
    name: Name
    channel: Code
    starts_on: Day | None = None
    ends_on: Day | None = None
    budget: Money | None = None


class CampaignChange(Body):
    """`version` is the one that was read. What is left out stays."""

    version: Annotated[int, Field(ge=1)]
    name: Name | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    budget: Money | None = None


class CampaignView(BaseModel):
    id: UUID
    code: str
    name: str
    channel: str
    starts_on: date | None
    ends_on: date | None
    budget: Money | None
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignView":
        return cls(**{name: getattr(campaign, name) for name in cls.model_fields})


class NewSpend(Body):
    """What a campaign cost on a day: the whole amount as `source` knows it now, not a difference."""

    day: Day
    amount: Money
    source: Code = "manual"
    clicks: Count | None = None
    impressions: Count | None = None


class SpendRow(NewSpend):
    campaign: Code


class SpendRows(Body):
    rows: Annotated[list[SpendRow], Field(min_length=1, max_length=1000)]


class RefusedView(BaseModel):
    line: int
    field: str
    reason: str


class Recorded(BaseModel):
    """`recorded` rows were new or other than before, `unchanged` known already. `line` counts rows from 1, in a file lines."""

    recorded: int
    unchanged: int
    refused: list[RefusedView]


class SpendView(BaseModel):
    day: date
    source: str
    amount: Money
    clicks: int | None
    impressions: int | None
    revision: int


class ReportRow(BaseModel):
    """Leads captured in the window, how far they have come by now, and what the campaign cost in it."""

    campaign: str
    name: str
    channel: str
    spend: Money | None
    clicks: int | None
    impressions: int | None
    leads: int
    qualified: int
    converted: int
    cost_per_lead: Money | None
    cost_per_qualified: Money | None

    @classmethod
    def of(cls, row: Any) -> "ReportRow":
        spend = None if row["spend"] is None else Money.of(row["spend"], row["currency"])
        each = {f"cost_per_{what}": _share(spend, row[count]) for what, count in (("lead", "leads"), ("qualified", "qualified"))}
        names = ("name", "channel", "clicks", "impressions", "leads", "qualified", "converted")
        return cls(campaign=row["code"], spend=spend, **{name: row[name] for name in names}, **each)


@router.get("/channels", dependencies=[scope("campaigns:read")])
async def list_channels(conn: Conn) -> list[ChannelView]:
    """The ways by which people come; the first 500."""
    return [
        ChannelView(**{name: getattr(row, name) for name in ChannelView.model_fields}) for row in await store.list_channels(conn)
    ]


@router.post("/channels", status_code=201, dependencies=[scope("campaigns:write")])
async def add_channel(body: NewChannel, tx: Tx, caller: Writer) -> ChannelView:
    """A further channel."""
    channel = Channel(**body.model_dump(), created_by=caller.subject, created_at=tx.now)
    await handlers.add_channel(tx, channel)
    return ChannelView(**body.model_dump(), created_by=caller.subject, created_at=tx.now)


@router.post("/campaigns", status_code=201, dependencies=[scope("campaigns:write")])
async def add_campaign(body: NewCampaign, tx: Tx, caller: Writer) -> CampaignView:
    """A campaign that leads and spend may name."""
    campaign = Campaign(
        **{name: getattr(body, name) for name in NewCampaign.model_fields},
        id=new_id(),
        version=1,
        created_by=caller.subject,
        created_at=tx.now,
        updated_by=caller.subject,
        updated_at=tx.now,
    )
    await handlers.add_campaign(tx, campaign)
    return CampaignView.of(campaign)


@router.get("/campaigns", dependencies=[scope("campaigns:read")])
async def list_campaigns(conn: Conn, page: PageArgs, channel: str | None = None) -> Page[CampaignView]:
    """Campaigns in the order they were made."""
    rows = await store.list_campaigns(conn, channel=channel, after=page.after, limit=page.limit + 1)
    return page.of([CampaignView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/campaigns/{code}", dependencies=[scope("campaigns:read")])
async def get_campaign(code: str, conn: Conn) -> CampaignView:
    """One campaign."""
    return CampaignView.of(await store.get_campaign(conn, code))


@router.patch("/campaigns/{code}", dependencies=[scope("campaigns:write")])
async def change_campaign(code: str, body: CampaignChange, tx: Tx, caller: Writer) -> CampaignView:
    """Change a campaign's name, days or budget."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
    if given.get("name", "") is None:
        raise Invalid("a campaign needs a name", field="name")
    return CampaignView.of(await handlers.change_campaign(tx, code, given, version=body.version, by=caller.subject))


@router.put("/campaigns/{code}/spend", dependencies=[scope("campaigns:write")])
async def record_spend(code: str, body: NewSpend, tx: Tx, caller: Writer) -> Recorded:
    """What a campaign cost on a day. Told again, nothing changes; another amount corrects it."""
    changed, refused = await handlers.record_spend(tx, [(1, _spend(code, body))], by=caller.subject)
    handlers.only(refused)
    return Recorded(recorded=changed, unchanged=1 - changed, refused=[])


@router.post("/campaign-spend", dependencies=[scope("campaigns:write")])
async def record_rows(body: SpendRows, tx: Tx, caller: Writer) -> Recorded:
    """Spend of many campaigns and days; each row is taken or refused by itself."""
    rows = [(number, _spend(row.campaign, row)) for number, row in enumerate(body.rows, start=1)]
    return _recorded(len(rows), *await handlers.record_spend(tx, rows, by=caller.subject))


# The file, and what a form puts around it.
@router.post("/campaign-spend/file", dependencies=[scope("campaigns:write"), body_up_to(MB + 64 * KB)])
async def record_file(file: UploadFile, tx: Tx, caller: Writer) -> Recorded:
    """Spend as CSV (campaign, day, amount, currency, source, clicks, impressions): UTF-8, at most 1 MB and 10,000 rows."""
    content = await file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise FileTooLarge("a file of spend may have 1 MB", field="file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"the file is not UTF-8 (byte {error.start})", field="file") from error
    read = list(read_spend(text, most_rows=_MOST_ROWS))
    refused = [row for _, row in read if isinstance(row, RefusedRow)]
    changed, more = await handlers.record_spend(
        tx, [(line, row) for line, row in read if isinstance(row, Spend)], by=caller.subject
    )
    return _recorded(len(read), changed, sorted([*refused, *more], key=lambda row: row.line))


@router.get("/campaigns/{code}/spend", dependencies=[scope("campaigns:read")])
async def list_spend(code: str, conn: Conn, start: date, end: date) -> list[SpendView]:
    """Day by day and source by source, both days included; at most 400 days."""
    if not timedelta(0) <= end - start <= _LONGEST_WINDOW:
        raise Invalid("must lie after `start`, at most 400 days", field="end")
    rows = await store.list_spend(conn, await store.get_campaign(conn, code), start, end)
    return [SpendView(**{name: getattr(row, name) for name in SpendView.model_fields}) for row in rows]


@router.get("/campaign-report", dependencies=[scope("campaigns:read")])
async def report(conn: Conn, start: Moment, end: Moment) -> list[ReportRow]:
    """What campaigns cost and brought in a window (its end excluded); currencies apart."""
    if end <= start:
        raise Invalid("must lie after `start`", field="end")
    return [ReportRow.of(row) for row in await store.campaign_report_view(conn, start, end)]


def _spend(campaign: str, body: NewSpend) -> Spend:
    if body.amount.amount < 0:
        raise Invalid("what a campaign cost cannot be negative", field="amount")
    return Spend(campaign, body.day, body.source, body.amount, body.clicks, body.impressions)


def _recorded(told: int, changed: int, refused: list[RefusedRow]) -> Recorded:
    views = [RefusedView(line=row.line, field=row.field, reason=row.reason) for row in refused]
    return Recorded(recorded=changed, unchanged=told - changed - len(refused), refused=views)


def _share(spend: Money | None, count: int) -> Money | None:
    """Cost per head, rounded half up to the minor unit."""
    return None if spend is None or not count else Money.rounded(round_half_up(spend.amount / count, 6), spend.currency)
