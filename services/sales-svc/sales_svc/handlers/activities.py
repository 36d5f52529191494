"""The verbs of activities: log, change, complete, reopen. The customer's account is locked before it is asked who was there last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound

from sales_svc.domain import activity as rules
from sales_svc.domain.activity import Activity, Touch, Type
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.versions import require_version
from sales_svc.handlers.accounts import named_account
from sales_svc.handlers.contacts import named_contact
from sales_svc.store import accounts, activities, opportunities


async def log(
    tx: Transaction,
    *,
    type: Type,
    subject: str,
    body: str | None,
    account_id: UUID | None,
    opportunity_id: UUID | None,
    contact_id: UUID | None,
    by: str,
    occurred_at: datetime | None,
    assignee: str | None,
    due_at: datetime | None,
) -> tuple[Activity, Touch | None]:
    """Something was done with a customer, or is to be done. Returns it, and who met the customer before on the same day.

    What hangs on a deal or a contact hangs on its account, too. Raises `Invalid` when they do not belong together.
    """
    deal = await _named_deal(tx, opportunity_id) if opportunity_id is not None else None
    account_id = await _account(tx, account_id, deal, contact_id)
    activity = Activity(
        id=new_id(),
        type=type,
        subject=subject,
        body=body,
        account_id=account_id,
        opportunity_id=opportunity_id,
        contact_id=contact_id,
        by=by,
        occurred_at=occurred_at or tx.now,
        assignee=assignee or (by if type == "task" else None),
        due_at=due_at,
        done_at=None,
        done_by=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    rules.check(activity)
    last = None
    if account_id is not None:
        await accounts.get_account_for_update(tx.conn, account_id)
        last = (await activities.last_touches_of_accounts(tx.conn, [account_id])).get(account_id)
    await activities.insert_activity(tx.conn, activity)
    if type != "task":
        flow_id = deal.flow_id if deal is not None else None
        tx.emit(rules.logged(activity), flow_id=flow_id, sequence=activity.version, occurred_at=activity.occurred_at)
    return activity, rules.doubled(activity, last)


async def change_activity(tx: Transaction, activity_id: UUID, given: Mapping[str, Any], *, expected: int | None) -> Activity:
    """Change the words, or who does a task until when; of the version that was read."""
    activity = await activities.get_activity_for_update(tx.conn, activity_id)
    require_version("the activity", activity.version, expected)
    changed = rules.change(activity, given, tx.now)
    if changed != activity:
        await activities.save_activity(tx.conn, changed)
    return changed


async def complete(tx: Transaction, activity_id: UUID, by: str) -> Activity:
    """The task is done, and counts as an activity."""
    done, event = rules.complete(await activities.get_activity_for_update(tx.conn, activity_id), by, tx.now)
    await activities.save_activity(tx.conn, done)
    deal = await opportunities.get_opportunity(tx.conn, done.opportunity_id) if done.opportunity_id is not None else None
    tx.emit(event, flow_id=deal.flow_id if deal is not None else None, sequence=done.version)
    return done


async def reopen(tx: Transaction, activity_id: UUID) -> Activity:
    """The task is not done after all."""
    opened = rules.reopen(await activities.get_activity_for_update(tx.conn, activity_id), tx.now)
    await activities.save_activity(tx.conn, opened)
    return opened


async def _named_deal(tx: Transaction, opportunity_id: UUID) -> Opportunity:
    try:
        return await opportunities.get_opportunity(tx.conn, opportunity_id)
    except NotFound as error:
        raise Invalid(error.reason, field="opportunity_id") from error


async def _account(tx: Transaction, account_id: UUID | None, deal: Opportunity | None, contact_id: UUID | None) -> UUID | None:
    if account_id is not None:
        await named_account(tx, account_id)
    if deal is not None and deal.account_id is not None:
        if account_id not in (None, deal.account_id):
            raise Invalid("the opportunity is of another account", field="opportunity_id")
        account_id = deal.account_id
    if contact_id is not None:
        contact = await named_contact(tx, contact_id)
        if account_id is None:
            account_id = contact.account_id
    return account_id
