"""The verbs of accounts. Lock order: the tree, identities, accounts in the order of their ids, contacts, then deals."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_rules import custom_fields as fields

from sales_svc.domain import account as rules
from sales_svc.domain.account import Account, AccountExists, Member
from sales_svc.domain.versions import require_version
from sales_svc.store import accounts, changes, contacts


async def create_account(tx: Transaction, given: Mapping[str, Any], by: str) -> Account:
    """A new company. Raises `AccountExists` when its name in its country, or its VAT id, is known."""
    defs = await custom_fields.load(tx.conn, "account")
    custom = fields.merge({}, fields.validate(defs, given.get("custom") or {}))
    made = rules.new(new_id(), {**given, "custom": custom}, tx.now)
    await _claim(tx, made, {})
    if made.parent_id is not None:
        await _check_tree(tx, made)
    await accounts.insert_account(tx.conn, made)
    await _log(tx, made, by, {"created": [None, made.name]})
    return made


async def change_account(
    tx: Transaction, account_id: UUID, given: Mapping[str, Any], by: str, *, expected: int | None
) -> Account:
    """Change some fields of the version that was read. Raises `VersionConflict`, `AccountExists`, `AccountMerged`."""
    if "parent_id" in given:
        await accounts.lock_tree(tx.conn)
    account = await locked_account(tx, account_id)
    require_version("the account", account.version, expected)
    wanted = dict(given)
    if "custom" in wanted:
        defs = await custom_fields.load(tx.conn, "account")
        partial = fields.validate(defs, wanted["custom"] or {}, partial=True)
        wanted["custom"] = fields.merge(account.custom, partial)
    changed, what = rules.change(account, wanted, tx.now)
    if not what:
        return account
    await _claim(tx, changed, account.identities)
    if changed.parent_id is not None and "parent_id" in what:
        await _check_tree(tx, changed)
    await accounts.save_account(tx.conn, changed)
    await _log(tx, changed, by, {name: [_json(value) for value in pair] for name, pair in what.items()})
    return changed


async def set_team(tx: Transaction, account_id: UUID, members: Sequence[Member], by: str, *, expected: int | None) -> Account:
    """Who works on the account, all at once."""
    if len({each.member for each in members}) < len(members):
        raise Invalid("a member is named twice", field="members")
    account = await locked_account(tx, account_id)
    require_version("the account", account.version, expected)
    before = await accounts.list_members(tx.conn, account_id)
    changed = rules.touched(account, tx.now)
    await accounts.replace_members(tx.conn, account_id, members)
    await accounts.save_account(tx.conn, changed)
    await _log(tx, changed, by, {"team": [[[m.member, m.role] for m in team] for team in (before, members)]})
    return changed


async def merge(tx: Transaction, winner_id: UUID, loser_id: UUID, by: str, *, expected: int | None) -> Account:
    """Two accounts are one company: everything of the loser is the winner's; the loser stays as a sign-post."""
    await accounts.lock_tree(tx.conn)
    await accounts.lock_identities(tx.conn, [winner_id, loser_id])
    found = {each: await accounts.get_account_for_merge(tx.conn, each) for each in sorted({winner_id, loser_id})}
    winner, loser = found[winner_id], found[loser_id]
    rules.require_live(winner)
    require_version("the account", winner.version, expected)
    above = loser_id in await accounts.list_ancestors(tx.conn, winner_id)
    took, gone = rules.merge(winner, loser, loser_is_above=above, now=tx.now)
    await accounts.save_account(tx.conn, gone)
    await contacts.move_contacts(tx.conn, loser_id, winner_id)
    await accounts.move_everything(tx.conn, loser_id, winner_id)
    await accounts.save_account(tx.conn, took)
    await _log(tx, took, by, {"merged": [None, str(loser_id)]})
    await _log(tx, gone, by, {"merged_into": [None, str(winner_id)]})
    return took


async def account_of(tx: Transaction, company: str, country: str | None, website: str | None = None) -> UUID:
    """The account that a company's name, country and web site mean; made when nobody knows it."""
    known = await accounts.find_account_id(tx.conn, company, country, rules.known_domain(website))
    if known is not None:
        return await accounts.live_account_id(tx.conn, known)
    return await accounts.upsert_account(tx.conn, new_id(), company, country, tx.now)


async def named_account(tx: Transaction, account_id: UUID, field: str = "account_id") -> Account:
    """The account that a caller names for something new. Raises `Invalid` for an unknown one, `AccountMerged`."""
    try:
        account = await accounts.get_account(tx.conn, account_id)
        live = await accounts.live_account_id(tx.conn, account_id)
    except NotFound as error:
        raise Invalid(error.reason, field=field) from error
    if live != account_id:
        raise rules.AccountMerged(account_id, live)
    return account


async def locked_account(tx: Transaction, account_id: UUID) -> Account:
    """The account, for a change of what belongs to it alone. Raises `AccountMerged`."""
    account = await accounts.get_account_for_update(tx.conn, account_id)
    rules.require_live(account)
    return account


async def _claim(tx: Transaction, account: Account, before: Mapping[str, str]) -> None:
    after = account.identities
    for kind, value in sorted(before.items()):
        if after.get(kind) != value:
            await accounts.delete_identity(tx.conn, kind, value, account.id)
    for kind, value in sorted(after.items()):
        if before.get(kind) != value:
            owner = await accounts.claim_identity(tx.conn, kind, value, account.id)
            if owner != account.id:
                raise AccountExists(owner, "vat_id" if kind == "vat" else "name")


async def _check_tree(tx: Transaction, account: Account) -> None:
    assert account.parent_id is not None
    await accounts.lock_tree(tx.conn)
    await named_account(tx, account.parent_id, "parent_id")
    line = await accounts.list_ancestors(tx.conn, account.parent_id)
    rules.require_no_cycle(account.id, line, await accounts.height_of(tx.conn, account.id) or 1)


async def _log(tx: Transaction, account: Account, by: str, what: Mapping[str, Any]) -> None:
    await changes.insert_change(
        tx.conn, "account", account.id, change_id=new_id(), version=account.version, by=by, at=tx.now, changes=what
    )


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
