"""Banks' files as tests write them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.timers import Errand, Timer

from billing_svc.timers import CASH

Run = Callable[[Timer | Errand], Awaitable[int]]
ACCOUNT = "DE89370400440532013000"
OTHER = "DE75512108001245126199"
SLICES: dict[str, Timer | Errand] = {timer.name: timer for timer in CASH}


@dataclass(frozen=True)
class Ntry:
    """An entry; `parts` are the payments of a batch, `told` what the bank says beside (XML of a `TxDtls`)."""

    amount: str
    text: str = ""
    credit: bool = True
    day: str = "2026-01-01"
    reference: str = ""
    party: str = ""
    iban: str = ""
    end_to_end: str = ""
    structured: str = ""
    told: str = ""
    status: str = "BOOK"
    reversal: bool = False
    parts: Sequence["Ntry"] = ()
    batch_of: int = 0


def camt(
    *entries: Ntry,
    kind: str = "053",
    version: str = "08",
    ref: str = "S-1",
    opening: str = "0.00",
    closing: str | None = None,
    account: str = ACCOUNT,
    currency: str = "EUR",
) -> bytes:
    """One statement; without `closing` it adds up."""
    return camt_file(
        statement(*entries, kind=kind, ref=ref, opening=opening, closing=closing, account=account, currency=currency),
        kind=kind,
        version=version,
    )


def camt_file(*statements: str, kind: str = "053", version: str = "08") -> bytes:
    message = "BkToCstmrStmt" if kind == "053" else "BkToCstmrDbtCdtNtfctn"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}">\n'
        f"<{message}><GrpHdr><MsgId>M</MsgId></GrpHdr>\n{''.join(statements)}</{message}></Document>"
    ).encode()


def statement(
    *entries: Ntry,
    kind: str = "053",
    ref: str = "S-1",
    opening: str = "0.00",
    closing: str | None = None,
    account: str = ACCOUNT,
    currency: str = "EUR",
) -> str:
    end = Decimal(opening)
    for one in entries:
        end += (Decimal(one.amount) if one.credit else -Decimal(one.amount)) if one.status == "BOOK" else 0
    told = "".join(_ntry(one, currency) for one in entries)
    if kind == "054":
        return f"<Ntfctn><Id>{ref}</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>\n{told}</Ntfctn>\n"
    balances = _balance("OPBD", opening, currency) + _balance("CLBD", closing or str(end), currency)
    return f"<Stmt><Id>{ref}</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>\n{balances}{told}</Stmt>\n"


def _balance(code: str, amount: str, currency: str) -> str:
    side = "DBIT" if amount.startswith("-") else "CRDT"
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount.lstrip("-")}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>2026-01-01</Dt></Dt></Bal>\n"
    )


def _ntry(one: Ntry, currency: str) -> str:
    details = "".join(_details(part, currency) for part in one.parts) if one.parts else _details(one, currency)
    if one.batch_of and not one.parts:
        details = f"<Btch><NbOfTxs>{one.batch_of}</NbOfTxs></Btch>"
    reversal = "<RvslInd>true</RvslInd>" if one.reversal else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{one.amount}</Amt><CdtDbtInd>{"CRDT" if one.credit else "DBIT"}</CdtDbtInd>{reversal}'
        f"<Sts><Cd>{one.status}</Cd></Sts><BookgDt><Dt>{one.day}</Dt></BookgDt><ValDt><Dt>{one.day}</Dt></ValDt>"
        f"<AcctSvcrRef>{one.reference}</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>\n"
    )


def _details(one: Ntry, currency: str) -> str:
    side = "Dbtr" if one.credit else "Cdtr"
    structured = f"<Strd><CdtrRefInf><Ref>{one.structured}</Ref></CdtrRefInf></Strd>" if one.structured else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{one.end_to_end}</EndToEndId></Refs>"
        f'<Amt Ccy="{currency}">{one.amount}</Amt><CdtDbtInd>{"CRDT" if one.credit else "DBIT"}</CdtDbtInd>'
        f"<RltdPties><{side}><Pty><Nm>{one.party}</Nm></Pty></{side}><{side}Acct><Id><IBAN>{one.iban}</IBAN></Id></{side}Acct></RltdPties>"
        f"<RmtInf><Ustrd>{one.text}</Ustrd>{structured}</RmtInf>{one.told}</TxDtls>"
    )


def mt940(*entries: tuple[str, str], opening: str = "C260101EUR0,00", closing: str, number: str = "1/1") -> bytes:
    """`entries` are of `:61:` and `:86:`, each without its tag."""
    told = "".join(f":61:{one}\r\n:86:{two}\r\n" for one, two in entries)
    return f":20:START\r\n:25:{ACCOUNT}\r\n:28C:{number}\r\n:60F:{opening}\r\n{told}:62F:{closing}\r\n-\r\n".encode()


async def send(client: httpx.AsyncClient, run_timer: Run, content: bytes, name: str = "statement.xml") -> dict[str, Any]:
    """Send a file and have it taken; what became of it."""
    sent = await client.post("/v1/bank-statements", files={"file": (name, content)})
    assert sent.status_code == 202, sent.text
    await run_timer(SLICES["import-bank-statements"])
    found: dict[str, Any] = (await client.get(f"/v1/bank-statements/{sent.json()['id']}")).json()
    return found


async def entries_of(client: httpx.AsyncClient, file: dict[str, Any]) -> list[dict[str, Any]]:
    """The new entries of a file."""
    found: list[dict[str, Any]] = []
    for each in file["statements"]:
        path = f"/v1/bank-statements/{file['id']}/entries/{UUID(each['id'])}"
        found += (await client.get(path, params={"limit": 100})).json()["items"]
    return found
