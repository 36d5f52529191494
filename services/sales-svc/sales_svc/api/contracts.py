"""HTTP in: contracts."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Name
from pydantic import BaseModel

from sales_svc.api.shapes import Body
from sales_svc.domain.contract import Contract
from sales_svc.handlers import contracts as handlers
from sales_svc.store import contracts

router = make_router(prefix="/v1", tags=["contracts"])


class Signature(Body):
    signed_by: Name


class ContractView(BaseModel):
    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    quote_id: UUID
    number: str
    state: str
    document: str
    document_sha256: str
    signed_by: str | None
    signed_at: datetime | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, contract: Contract) -> "ContractView":
        return cls(**{name: getattr(contract, name) for name in cls.model_fields})


@router.post("/quotes/{quote_id}/contract", status_code=201, dependencies=[scope("contracts:write")])
async def draw_up_contract(quote_id: UUID, tx: Tx) -> ContractView:
    """Draw up the contract of an accepted quote; asked again, it is the same one."""
    return ContractView.of(await handlers.draw_up_contract(tx, quote_id))


@router.get("/contracts", dependencies=[scope("contracts:read")])
async def list_contracts(conn: Conn, page: PageArgs, flow_id: UUID | None = None) -> Page[ContractView]:
    """Contracts in the order they were drawn up."""
    rows = await contracts.list_contracts(conn, flow_id=flow_id, after=page.after, limit=page.limit + 1)
    return page.of([ContractView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/contracts/{contract_id}", dependencies=[scope("contracts:read")])
async def get_contract(contract_id: UUID, conn: Conn) -> ContractView:
    """One contract with its text."""
    return ContractView.of(await contracts.get_contract(conn, contract_id))


@router.post("/contracts/{contract_id}/sign", dependencies=[scope("contracts:write")])
async def sign_contract(contract_id: UUID, body: Signature, tx: Tx) -> ContractView:
    """Sign: both parties are bound, and the deal is won."""
    return ContractView.of(await handlers.sign_contract(tx, contract_id, body.signed_by))
