"""billing-svc: entries of statements imported and applied, and invoices issued, each beside bare inserts of the same rows."""

import asyncio
import time
from typing import Any

import httpx
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect
from ltc_cli.stack import Stack

from bench.reading import copies
from bench.report import Row
from bench.rig import publish, rate_until, serve

_ENTRIES, _PAID, _INVOICES = 20_000, 2_000, 4_000
_CHUNK = 500
_ENTRY = (
    '<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-01-01</Dt></BookgDt>'
    "<ValDt><Dt>2026-01-01</Dt></ValDt><AcctSvcrRef>{part}{number}</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>E{part}{number}"
    "</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>Customer {number}</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>DE75512108001245126199"
    "</IBAN></Id></DbtrAcct></RltdPties><RmtInf><Ustrd>Invoice of January, customer {number}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
)
_MT940 = (
    ":61:2601010101C1,00NTRFNONREF//{part}{number}\n"
    ":86:166?00CREDIT?20EREF+E{part}{number}?21SVWZ+Invoice?31DE75512108001245126199?32Customer\n"
)
_CREATE = {
    "bank_entry": "CREATE TABLE bare_bank_entry (LIKE bank_entry INCLUDING INDEXES)",
    "bank_item": "CREATE TABLE bare_bank_item (LIKE bank_item INCLUDING INDEXES)",
    "invoice": "CREATE TABLE bare_invoice (LIKE invoice INCLUDING INDEXES)",
    "ledger_entry": "CREATE TABLE bare_ledger_entry (LIKE ledger_entry INCLUDING INDEXES)",
    "ledger_line": "CREATE TABLE bare_ledger_line (LIKE ledger_line INCLUDING INDEXES)",
    "outbox": "CREATE TABLE bare_outbox (LIKE outbox INCLUDING INDEXES)",
}
_READ = {
    "bank_entry": "SELECT * FROM bank_entry",
    "bank_item": "SELECT * FROM bank_item",
    "invoice": "SELECT * FROM invoice",
    "ledger_entry": "SELECT * FROM ledger_entry",
    "ledger_line": "SELECT * FROM ledger_line",
    "outbox": "SELECT * FROM outbox",
}
_DROP = {
    "bank_entry": "DROP TABLE bare_bank_entry",
    "bank_item": "DROP TABLE bare_bank_item",
    "invoice": "DROP TABLE bare_invoice",
    "ledger_entry": "DROP TABLE bare_ledger_entry",
    "ledger_line": "DROP TABLE bare_ledger_line",
    "outbox": "DROP TABLE bare_outbox",
}
_STATEMENTS = ("bank_entry", "bank_item")
_ISSUED = ("invoice", "ledger_entry", "ledger_line", "outbox")


async def statements(stack: Stack) -> list[Row]:
    """A file from its upload to the commit of its last entry, then payments booked and matched."""
    conn = await connect(stack.dsn("billing"), application="bench")
    rows = []
    try:
        async with serve(stack, "billing_svc", stack.dsn("billing"), {"LTC_KAFKA_BOOTSTRAP": ""}) as served:
            for name, file in (("camt.053", _camt("C", _ENTRIES)), ("MT940", _mt940("M", _ENTRIES))):
                speed = await _import(served.url, stack.token(), file)
                bare = await _bare(conn, _STATEMENTS)
                rows.append(_row(f"{name} of {_ENTRIES:,} entries", speed, bare, 3_000))
                # What waits to be applied is taken away, so that it does not slow down what is measured next.
                await conn.execute("UPDATE bank_item SET state = 'settled' WHERE state = 'due'")
            await _import(served.url, stack.token(), _camt("P", _PAID))
            await rate_until(conn, "SELECT count(*) FROM payment_origin", _PAID)
            # By the clock of the transactions: whoever counts meanwhile waits for the same processors.
            took: float = await conn.fetchval("SELECT extract(epoch FROM max(created_at) - min(created_at))::float8 FROM payment")
            speed = _PAID / max(took, 1e-6)
            rows.append(Row("payments of statements booked, matched and queued", f"{speed:,.0f}/s"))
    finally:
        await conn.close()
    return rows


async def invoices(stack: Stack) -> list[Row]:
    """Deliveries that wait on Kafka become invoices: numbered without gaps, booked, told."""
    await publish(stack, copies(["delivery.handed_over"], _INVOICES))
    conn = await connect(stack.dsn("billing"), application="bench")
    before: int = await conn.fetchval("SELECT count(*) FROM invoice")
    try:
        async with serve(stack, "billing_svc", stack.dsn("billing"), {"LTC_RELAY": "external"}):
            speed = await rate_until(conn, "SELECT count(*) FROM invoice", _INVOICES, before=before)
        bare = await _bare(conn, _ISSUED)
    finally:
        await conn.close()
    return [_row("invoices issued from hand-overs", speed, bare, 800)]


def _row(path: str, speed: float, bare: float, target: int) -> Row:
    compared = f"{speed / bare:.0%} of bare inserts of the same rows ({bare:,.0f}/s)"
    return Row(path, f"{speed:,.0f}/s", compared, f">= {target:,}/s", speed >= target)


def _camt(part: str, count: int) -> bytes:
    entries = "".join(_ENTRY.format(part=part, number=number) for number in range(count))
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>'
        for code, amount in (("OPBD", 0), ("CLBD", count))
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr/><Stmt>'
        f"<Id>{part}</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{balances}{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _mt940(part: str, count: int) -> bytes:
    entries = "".join(_MT940.format(part=part, number=number) for number in range(count))
    return f":20:{part}\n:25:DE02120300000000202051\n:28C:1/1\n:60F:C260101EUR0,\n{entries}:62F:C260101EUR{count},\n-\n".encode()


async def _import(url: str, token: str, file: bytes) -> float:
    """Entries a second."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        began = time.perf_counter()
        reply = await http.post("/v1/bank-statements", files={"file": ("statement", file)})
        path = f"/v1/bank-statements/{reply.raise_for_status().json()['id']}"
        while (found := (await http.get(path)).raise_for_status().json())["state"] == "waiting":
            await asyncio.sleep(0.05)
        if found["taken"] != found["entries"] or not found["taken"]:
            raise RuntimeError(f"the file was not taken: {found}")
        return int(found["taken"]) / (time.perf_counter() - began)


async def _bare(conn: DirectConnection, tables: tuple[str, ...]) -> float:
    """How many of the first table a second, when nothing is parsed, decided or checked: the same rows, copied 500 at a time into
    tables with the same indexes."""
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for table in tables:
        await conn.execute(_CREATE[table])
        kept[table] = [tuple(row) for row in await conn.fetch(_READ[table])]
    whole = len(kept[tables[0]])
    turns = max(whole // _CHUNK, 1)
    began = time.perf_counter()
    for turn in range(turns):
        async with conn.transaction():
            for table, rows in kept.items():
                part = rows[len(rows) * turn // turns : len(rows) * (turn + 1) // turns]
                await conn.copy_records_to_table(f"bare_{table}", records=part)
    took = time.perf_counter() - began
    for table in tables:
        await conn.execute(_DROP[table])
    return whole / took
