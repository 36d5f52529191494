"""Whether money adds up between the services, and what disagrees where it does not."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.api import Conn, Now, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Moment
from pydantic import BaseModel

from metrics_svc.domain.milestone import in_minor_units
from metrics_svc.store import conservation as store

router = make_router(prefix="/v1", tags=["metrics"])
_DISAGREEMENTS = 20


class DisagreeingEvent(BaseModel):
    id: UUID
    topic: str
    subject: str


class Disagreement(BaseModel):
    """A part of a residual: `what` is wrong, by how much, and the events that say so (fifty at most)."""

    flow_id: UUID
    currency: str
    what: str
    amount: str
    events: list[DisagreeingEvent]


class ConservationRow(BaseModel):
    """What each step hands over, per currency. A step not taken yet is in transit; `residual` is disagreement.

    Net up to `invoiced`, with tax from `gross` on: gross = paid + credited + written_off + open, and `paid` is what still settles something;
    what had settled what was taken back since is `on_account`. What completed deliveries handed over is what was ordered less what
    was `short`, and with what went `beyond` it: replacements, and what is charged of more. `delivered` is without what was `returned`.
    """

    currency: str
    flows: int
    quoted: str
    contracted: str
    ordered: str
    delivered: str
    invoiced: str
    gross: str
    paid: str
    open: str
    cancelled: str
    returned: str
    credited: str
    written_off: str
    refunded: str
    on_account: str
    in_transit_to_order: str
    in_transit_to_delivery: str
    in_transit_to_invoice: str
    in_transit_to_credit: str
    short: str
    beyond: str
    residual: str


class CashRow(BaseModel):
    currency: str
    received: str
    refunded: str
    allocated: str
    unapplied: str


class ConservationView(BaseModel):
    as_of: datetime
    known_at: datetime
    currencies: list[ConservationRow]
    cash: list[CashRow]
    disagreements: list[Disagreement]


@router.get("/conservation", dependencies=[scope("kpis:read")])
async def get_conservation(conn: Conn, now: Now, as_of: Moment | None = None, known_at: Moment | None = None) -> ConservationView:
    """Quoted = ordered = delivered = invoiced = paid + credited + written off + open, over every flow; the residual must be 0.00.

    Where it is not, the twenty greatest disagreements are named with their events; `GET /v1/flows/{flow_id}` names those of one flow.
    """
    return await conservation(conn, as_of or now, known_at or now)


async def conservation(conn: Connection, as_of: datetime, known_at: datetime) -> ConservationView:
    """Also shown on the live page."""
    rows, wrong = [], False
    for row in await store.conservation_view(conn, as_of, known_at):
        wrong = wrong or bool(row["residual"])
        amounts = {name: in_minor_units(row[name], row["currency"]) for name in dict(row) if name not in ("currency", "flows")}
        rows.append(ConservationRow(currency=row["currency"], flows=row["flows"], **amounts))
    cash = [
        CashRow(
            currency=row["currency"],
            received=in_minor_units(row["received"], row["currency"]),
            refunded=in_minor_units(row["refunded"], row["currency"]),
            allocated=in_minor_units(row["allocated"], row["currency"]),
            unapplied=in_minor_units(row["received"] - row["refunded"] - row["allocated"], row["currency"]),
        )
        for row in await store.cash_view(conn, as_of, known_at)
    ]
    named = await disagreements(conn, None, as_of, known_at) if wrong else []
    return ConservationView(as_of=as_of, known_at=known_at, currencies=rows, cash=cash, disagreements=named)


async def disagreements(conn: Connection, flow_id: UUID | None, as_of: datetime, known_at: datetime) -> list[Disagreement]:
    return [
        Disagreement.model_validate({**dict(row), "amount": in_minor_units(row["amount"], row["currency"])})
        for row in await store.disagreements_view(conn, flow_id, as_of, known_at, _DISAGREEMENTS)
    ]
