"""HTTP in: accounts."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel

from sales_svc.store import accounts

router = make_router(prefix="/v1", tags=["accounts"])


class AccountView(BaseModel):
    id: UUID
    name: str
    country: str
    created_at: datetime


@router.get("/accounts", dependencies=[scope("accounts:read")])
async def list_accounts(conn: Conn, page: PageArgs) -> Page[AccountView]:
    """Companies that were named on an opportunity or a quote."""
    rows = await accounts.list_accounts(conn, after=page.after, limit=page.limit + 1)
    return page.of([AccountView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/accounts/{account_id}", dependencies=[scope("accounts:read")])
async def get_account(account_id: UUID, conn: Conn) -> AccountView:
    """One company."""
    return AccountView(**dict(await accounts.get_account(conn, account_id)))
