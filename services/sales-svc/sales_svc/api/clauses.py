"""HTTP in: the clause library and contract templates."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body
from sales_svc.domain.clause import LONGEST_TEXT, Clause
from sales_svc.domain.contract_template import MOST_CLAUSES, Item, Template, Terms
from sales_svc.handlers import clauses as handlers
from sales_svc.store import clauses

router = make_router(prefix="/v1", tags=["contracts"])
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$", description="ISO 639-1")]
ClauseText = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, description="a blank line between paragraphs")]
Writer = Annotated[Principal, scope("clauses:write")]
Approver = Annotated[Principal, scope("clauses:approve")]


class NewClause(Body):
    """`valid_from` null: as soon as it is approved."""

    code: Code
    language: Language
    title: Name
    text: ClauseText
    valid_from: Moment | None = None


class ClauseView(BaseModel):
    id: UUID
    code: str
    language: str
    version: int
    title: str
    text: str
    valid_from: datetime
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None

    @classmethod
    def of(cls, clause: Clause) -> "ClauseView":
        return cls(**{name: getattr(clause, name) for name in cls.model_fields})


class ItemBody(Body):
    """`version` null: the latest approved one when a contract is drawn up."""

    code: Code
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    condition: dict[str, Any] | None = None


class TermsBody(Body):
    """`months` null: the contract is fulfilled, not ended."""

    months: Annotated[int, Field(ge=1, le=600)] | None = None
    auto_renew: bool = False
    renewal_months: Annotated[int, Field(ge=1, le=120)] | None = None
    notice_days: Annotated[int, Field(ge=0, le=730)] | None = None


class TemplateBody(Body):
    """`automatic` false: used only where it is named. Of those whose condition holds the highest priority is taken."""

    code: Code
    name: Name
    language: Language
    automatic: bool = True
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    condition: dict[str, Any] | None = None
    clauses: Annotated[list[ItemBody], Field(min_length=1, max_length=MOST_CLAUSES)]
    terms: TermsBody = TermsBody()
    countersign: bool = False
    sign_within_days: Annotated[int, Field(ge=1, le=365)] = 30


class NewTemplate(TemplateBody):
    valid_from: Moment | None = None


class TemplateView(TemplateBody):
    id: UUID
    version: int
    valid_from: datetime
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, template: Template, by: str, at: datetime) -> "TemplateView":
        plain = (
            "id",
            "code",
            "version",
            "name",
            "language",
            "automatic",
            "priority",
            "condition",
            "countersign",
            "sign_within_days",
        )
        terms = template.terms
        return cls(
            **{name: getattr(template, name) for name in plain},
            valid_from=template.valid_from,
            clauses=[
                ItemBody(code=i.code, version=i.version, condition=dict(i.condition) if i.condition else None)
                for i in template.items
            ],
            terms=TermsBody(**{name: getattr(terms, name) for name in TermsBody.model_fields}),
            created_by=by,
            created_at=at,
        )


@router.post("/clauses", status_code=201, dependencies=[scope("clauses:write")])
async def add_clause(body: NewClause, tx: Tx, caller: Writer) -> ClauseView:
    """The next version of a clause in a language. Placeholders look like {{ customer.name }}."""
    given = body.model_dump(exclude={"valid_from"})
    return ClauseView.of(await handlers.add_clause(tx, **given, valid_from=body.valid_from or tx.now, by=caller.subject))


@router.get("/clauses", dependencies=[scope("clauses:read")])
async def list_clauses(
    conn: Conn, page: PageArgs, code: Code | None = None, language: Language | None = None
) -> Page[ClauseView]:
    """Every version of every clause."""
    rows = await clauses.list_clauses(conn, code=code, language=language, after=page.after, limit=page.limit + 1)
    return page.of([ClauseView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/clauses/{clause_id}", dependencies=[scope("clauses:read")])
async def get_clause(clause_id: UUID, conn: Conn) -> ClauseView:
    """One version."""
    return ClauseView.of(await clauses.get_clause(conn, clause_id))


@router.post("/clauses/{clause_id}/approve", dependencies=[scope("clauses:approve")])
async def approve_clause(clause_id: UUID, tx: Tx, caller: Approver) -> ClauseView:
    """From now on contracts may use this version."""
    return ClauseView.of(await handlers.approve_clause(tx, clause_id, caller.subject))


@router.post("/contract-templates", status_code=201, dependencies=[scope("clauses:write")])
async def add_template(body: NewTemplate, tx: Tx, caller: Writer) -> TemplateView:
    """A new template, or the next version of one.

    Conditions see country, currency, net, payment_days, products, has_vat_id, language and recurring.
    """
    template = Template(
        id=new_id(),
        code=body.code,
        version=1,
        name=body.name,
        language=body.language,
        automatic=body.automatic,
        priority=body.priority,
        condition=body.condition,
        items=tuple(Item(item.code, item.version, item.condition) for item in body.clauses),
        terms=Terms(**body.terms.model_dump()),
        countersign=body.countersign,
        sign_within_days=body.sign_within_days,
        valid_from=body.valid_from or tx.now,
    )
    return TemplateView.of(await handlers.add_template(tx, template, caller.subject), caller.subject, tx.now)


@router.get("/contract-templates", dependencies=[scope("clauses:read")])
async def list_templates(conn: Conn, page: PageArgs, code: Code | None = None) -> Page[TemplateView]:
    """Every version of every template."""
    rows = await clauses.list_templates(conn, code=code, after=page.after, limit=page.limit + 1)
    return page.of([TemplateView.of(*row) for row in rows], key=lambda view: view.id)
