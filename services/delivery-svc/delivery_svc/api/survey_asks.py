"""HTTP in: who was asked, who shall be, and who wants no surveys."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, UploadFile
from ltc_chassis.api import KB, MB, Conn, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import DomainError, Invalid
from ltc_rules.tables import Table, read_table
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from delivery_svc.api.surveys import SurveyCode, Title
from delivery_svc.domain.survey import Kind, Language, Trigger
from delivery_svc.domain.survey_ask import Ask, State
from delivery_svc.handlers import survey_asks as handlers
from delivery_svc.handlers import survey_triggers
from delivery_svc.handlers.survey_triggers import Wish
from delivery_svc.store import survey_asks as store

router = make_router(prefix="/v1", tags=["survey asks"])
Asker = Annotated[Principal, scope("surveys:ask")]
_LARGEST_FILE = MB
_MOST = 1000
_MOST_ROWS = 10_000
_COLUMNS = ("email", "name", "language", "customer_id")


def _address(text: str) -> str:
    check_address(text, field="email")
    return text


Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_address)]
Occasion = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$"),
    Field(description="for one occasion a person is asked once"),
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WishBody(Body):
    """By address, or as a customer to whom we have delivered or will; `language` is else that of their country."""

    email: Address | None = None
    customer_id: UUID | None = None
    name: Title | None = None
    language: Language | None = None

    @model_validator(mode="after")
    def _somebody(self) -> "WishBody":
        if self.email is None and self.customer_id is None:
            raise ValueError("needs email or customer_id")
        return self


class AskBody(Body):
    people: Annotated[list[WishBody], Field(min_length=1, max_length=_MOST)]
    occasion: Occasion = "first"


class RowView(BaseModel):
    """A person who is not asked: `row` counts from 1, in a file it is the line; `reason`: unknown (no address), or what is wrong."""

    row: int
    reason: str


class AskedView(BaseModel):
    """`accepted` are asked soon, unless they were asked of late; `known` are for this occasion already; `stopped` want no surveys."""

    accepted: int
    known: int
    stopped: int
    refused: Annotated[list[RowView], Field(description="at most 1000 are told")]


class AskView(BaseModel):
    """One person asked one survey. `reason` is why they were not: quiet, stopped, inactive, late, reopened, erased."""

    id: UUID
    survey: str
    survey_version: int
    kind: Kind
    trigger: Trigger
    state: State
    reason: str | None
    email: str | None
    language: Language
    number: str | None
    customer_id: UUID | None
    order_id: UUID | None
    delivery_id: UUID | None
    ticket_id: UUID | None
    flow_id: UUID
    due_at: datetime
    asked_at: datetime | None
    reminded_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    score: int | None

    @classmethod
    def of(cls, ask: Ask) -> "AskView":
        return cls(**{name: getattr(ask, name) for name in cls.model_fields})


class StopBody(Body):
    email: Address


@router.post("/surveys/{code}/asks", status_code=202)
async def ask_people(code: SurveyCode, body: AskBody, tx: Tx, caller: Asker) -> AskedView:
    """Ask these people, at most 1,000, once each for the occasion. Only surveys by request."""
    wishes = [Wish(**person.model_dump()) for person in body.people]
    return await _ask(tx, code, list(enumerate(wishes, 1)), [], body.occasion, caller.subject)


@router.post("/surveys/{code}/asks/file", status_code=202, dependencies=[body_up_to(MB + 64 * KB)])
async def ask_file(
    code: SurveyCode, file: UploadFile, tx: Tx, caller: Asker, occasion: Annotated[Occasion, Query()] = "first"
) -> AskedView:
    """The same by CSV (email, name, language, customer_id), at most 1 MB and 10,000 rows. Rows that are wrong are told, others asked."""
    content = await file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise Invalid("a file of people may have 1 MB", field="file")
    wishes, refused = _rows(read_table(content))
    return await _ask(tx, code, wishes, refused, occasion, caller.subject)


@router.get("/survey-asks", dependencies=[scope("surveys:read")])
async def list_asks(
    conn: Conn,
    page: PageArgs,
    survey: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
    customer_id: UUID | None = None,
    order_id: UUID | None = None,
    ticket_id: UUID | None = None,
) -> Page[AskView]:
    """Who was asked or will be, and what became of it."""
    rows = await store.list_asks(
        conn,
        survey=survey,
        state=state,
        customer_id=customer_id,
        order_id=order_id,
        ticket_id=ticket_id,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([AskView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/survey-asks/{ask_id}", dependencies=[scope("surveys:read")])
async def get_ask(ask_id: UUID, conn: Conn) -> AskView:
    """One of them."""
    return AskView.of(await store.get_ask(conn, ask_id))


@router.post("/survey-stops", status_code=204, dependencies=[scope("surveys:ask")])
async def stop(body: StopBody, tx: Tx) -> None:
    """Somebody told us that they want no surveys: they are never asked again."""
    await handlers.stop_address(tx, body.email)


async def _ask(
    tx: Tx, code: str, wishes: Sequence[tuple[int, Wish]], refused: list[RowView], occasion: str, by: str
) -> AskedView:
    done = await survey_triggers.ask_people(tx, code, [wish for _, wish in wishes], occasion, by)
    amounts = Counter(done)
    unknown = [RowView(row=row, reason="unknown") for (row, _), each in zip(wishes, done, strict=True) if each == "unknown"]
    told = sorted([*refused, *unknown], key=lambda view: view.row)[:_MOST]
    return AskedView(accepted=amounts["accepted"], known=amounts["known"], stopped=amounts["stopped"], refused=told)


def _rows(table: Table) -> tuple[list[tuple[int, Wish]], list[RowView]]:
    names = [name.lower() for name in table.header]
    if not {"email", "customer_id"} & set(names) or set(names) - set(_COLUMNS):
        raise Invalid(f"the columns are {', '.join(_COLUMNS)}; email or customer_id is needed", field="file")
    wishes: list[tuple[int, Wish]] = []
    refused: list[RowView] = []
    for number, record in enumerate(table.records, 1):
        if number > _MOST_ROWS:
            raise Invalid(f"at most {_MOST_ROWS} rows", field="file")
        given = {name: cell.strip() for name, cell in zip(names, record.cells, strict=False) if cell.strip()}
        try:
            wishes.append((record.line, Wish(**WishBody.model_validate(given).model_dump())))
        except DomainError as error:
            refused.append(RowView(row=record.line, reason=error.reason))
        except ValueError:
            refused.append(RowView(row=record.line, reason="needs a valid email or customer_id; language is en or zh"))
    return wishes, refused
