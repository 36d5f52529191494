"""The verbs of scanning for duplicates: begin, go on, stop. A chunk is a transaction, so a scan goes on where it was after a stop."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from lead_svc.domain import duplicate_scan as rules
from lead_svc.domain.duplicate_scan import Pair, Position, Scan, ScanRuns
from lead_svc.domain.identity import Kind
from lead_svc.store import duplicate_scans as store
from lead_svc.store.duplicates import named_like

_FIRST = UUID(int=0)
_ORDER: tuple[Kind, ...] = ("email", "phone", "domain", "name")


async def start(tx: Transaction, kinds: Sequence[Kind], likeness: Decimal, by: str) -> Scan:
    """Look for duplicates among all leads. Raises `ScanRuns`."""
    ordered = tuple(kind for kind in _ORDER if kind in kinds)
    total = await store.count_keys(tx.conn, ordered)
    scan = Scan(new_id(), ordered, likeness, "running", Position(ordered[0], "", _FIRST), total, 0, by, tx.now)
    if not await store.insert_scan(tx.conn, scan):
        raise ScanRuns("a scan runs already; cancel it, or wait until it is done")
    return scan


async def cancel(tx: Transaction, scan_id: UUID) -> Scan:
    """Stop a scan; what it found so far stays."""
    scan = rules.end(await store.get_scan_for_update(tx.conn, scan_id), "cancel", tx.now)
    await store.save_scan(tx.conn, scan)
    return scan


async def go_on(tx: Transaction, *, keys: int, names: int) -> int:
    """The next keys of the scan that runs: so many at a time, fewer where names are compared; 0 when there is nothing to do."""
    scan = await store.claim_scan(tx.conn)
    if scan is None:
        return 0
    limit = names if scan.at.kind == "name" else keys
    rows = await store.next_keys(tx.conn, scan.at, limit)
    if scan.at.kind == "name":
        pairs = [
            Pair(row["lead_id"], other, "name", Decimal(str(round(likeness, 2))))
            for row in rows
            for other, likeness in (await named_like(tx.conn, row["value"], float(scan.likeness))).items()
            if other != row["lead_id"]
        ]
    else:
        pairs = [Pair(row["lead_id"], row["first_id"], scan.at.kind) for row in rows if row["lead_id"] != row["first_id"]]
    await _group(tx, scan, pairs)
    scan = replace(scan, processed=scan.processed + len(rows))
    if rows:
        scan = replace(scan, at=Position(scan.at.kind, rows[-1]["value"], rows[-1]["lead_id"]))
    if len(rows) < limit:
        following = rules.next_kind(scan)
        scan = replace(scan, at=Position(following, "", _FIRST)) if following else rules.end(scan, "finish", tx.now)
    await store.save_scan(tx.conn, scan)
    return max(len(rows), 1)


async def forget_old(tx: Transaction) -> int:
    """Scans are kept for 90 days."""
    return await store.delete_old(tx.conn, tx.now - rules.KEEP)


async def _group(tx: Transaction, scan: Scan, pairs: Sequence[Pair]) -> None:
    if not pairs:
        return
    involved = {lead_id for pair in pairs for lead_id in (pair.lead_id, pair.other_id)}
    grouped = rules.group(pairs, await store.members_among(tx.conn, scan.id, list(involved)))
    await store.save_members(tx.conn, scan.id, grouped.members)
    if grouped.joined:
        await store.join_groups(tx.conn, scan.id, grouped.joined)
