"""HTTP in: what ad platforms are told of their leads, as files in the shapes they import."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.feedback import Export, FileNotReady, Part, Platform, Setting, file_of
from lead_svc.handlers import feedback as handlers
from lead_svc.store import feedback as store

router = make_router(prefix="/v1", tags=["feedback"])
Called = Annotated[str, Field(min_length=1, max_length=100)]
Exporter = Annotated[Principal, scope("leads:export")]
Keeper = Annotated[Principal, scope("leads:configure")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewSetting(Body):
    """How the platform calls what it is told; what has no name is not told. `version` is the one after the latest."""

    platform: Platform
    version: Annotated[int, Field(ge=2, le=1_000_000)]
    qualified: Called | None = None
    collected: Called | None = None
    junk: Called | None = None
    landing_url: Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s#]+$")] | None = None


class SettingView(BaseModel):
    platform: Platform
    version: int
    qualified: str | None
    collected: str | None
    junk: str | None
    landing_url: str | None
    created_by: str
    created_at: datetime


class NewExport(Body):
    """A period of days (UTC); `period_until` is the first day after it."""

    platform: Platform
    period_from: Day
    period_until: Day


class ExportView(BaseModel):
    """`left_out` are leads that the platform could not recognise; not `complete` means that there were too many lines: ask again."""

    id: UUID
    platform: Platform
    setting_version: int
    period_from: date
    period_until: date
    state: Literal["waiting", "running", "done"]
    examined: int
    conversions: int
    adjustments: int
    left_out: int
    complete: bool
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, export: Export) -> "ExportView":
        given: dict[str, Any] = asdict(export)
        return cls(**{name: given[name] for name in cls.model_fields})


@router.get("/feedback-settings", dependencies=[scope("leads:read")])
async def list_settings(conn: Conn) -> list[SettingView]:
    """How platforms call what they are told: every version, the latest of each first."""
    return [SettingView(**dict(row)) for row in await store.list_settings(conn)]


@router.post("/feedback-settings", status_code=201, dependencies=[scope("leads:configure")])
async def add_setting(body: NewSetting, tx: Tx, caller: Keeper) -> SettingView:
    """A new version for a platform; exports that are asked for from now on follow it."""
    await handlers.add_setting(tx, Setting(**body.model_dump()), caller.subject)
    return SettingView(**body.model_dump(), created_by=caller.subject, created_at=tx.now)


@router.post("/feedback-exports", status_code=202, dependencies=[scope("leads:export")])
async def start_export(body: NewExport, tx: Tx, caller: Exporter) -> ExportView:
    """Make the files of what is new to a platform; in the background, ask for the state by the id."""
    return ExportView.of(await handlers.start_export(tx, body.platform, body.period_from, body.period_until, caller.subject))


@router.get("/feedback-exports", dependencies=[scope("leads:export")])
async def list_exports(conn: Conn, page: PageArgs) -> Page[ExportView]:
    """Every export, the oldest first."""
    rows = await store.list_exports(conn, after=page.after, limit=page.limit + 1)
    return page.of([ExportView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/feedback-exports/{export_id}", dependencies=[scope("leads:export")])
async def get_export(export_id: UUID, conn: Conn) -> ExportView:
    """How far an export is."""
    return ExportView.of(await store.get_export(conn, export_id))


@router.get("/feedback-exports/{export_id}/file", dependencies=[scope("leads:export")])
async def get_file(export_id: UUID, conn: Conn, part: Part = "conversions") -> Response:
    """The file to import: the conversions, or the adjustments of what was told before; the same bytes whenever it is asked for."""
    export = await store.get_export(conn, export_id)
    if export.state != "done":
        raise FileNotReady("the export is still being made")
    setting = await store.get_setting(conn, export.platform, export.setting_version)
    content = file_of(export.platform, part, await store.list_items(conn, export_id), setting.landing_url)
    name = f"{export.platform}-{part}-{export.period_from}-{export.period_until}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
