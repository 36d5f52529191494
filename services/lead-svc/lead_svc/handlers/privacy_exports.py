"""The verbs of a person's copy: made from every table that the registry names, given out for some days, deleted."""

import hashlib
import io
import json
import zipfile
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined
from ltc_chassis import links, personal
from ltc_chassis.db import Transaction

from lead_svc.domain import privacy as rules
from lead_svc.domain.privacy import FileGone, FileNotReady
from lead_svc.handlers.privacy import who_of
from lead_svc.settings import Settings
from lead_svc.store import privacy as store
from lead_svc.store.personal import ELSEWHERE, TABLES

PURPOSE = "privacy.export"
# Of each table; a person who visited more pages is told so.
MOST_LINES = 10_000
_PAGES = Environment(loader=PackageLoader("lead_svc"), autoescape=True, undefined=StrictUndefined)


async def export_due(tx: Transaction) -> int:
    """The next confirmed export; a kill leaves it confirmed, and it is made anew. 0 at rest."""
    request = await store.claim_confirmed(tx.conn, "export", tx.now)
    if request is None:
        return 0
    known = await who_of(tx, request)
    tables: dict[str, Any] = {}
    for name, table in TABLES.items():
        if table.rows:
            lines = await personal.lines(tx.conn, name, table, known.who, limit=MOST_LINES + 1)
            if lines:
                tables[name] = {"complete": len(lines) <= MOST_LINES, "rows": lines[:MOST_LINES]}
    content = archive(
        {
            "made_at": tx.now.isoformat(),
            "request": str(request.id),
            "asked_for": {"emails": list(request.emails), "phones": list(request.phones)},
            "tables": tables,
            "elsewhere": dict(ELSEWHERE),
        }
    )
    expires_at = tx.now + timedelta(days=tx.settings_as(Settings).privacy_file_days)
    await store.insert_file(
        tx.conn, request.id, content, hashlib.sha256(content).hexdigest(), made_at=tx.now, expires_at=expires_at
    )
    rows = {name: len(each["rows"]) for name, each in tables.items()}
    request = rules.closed(request, "finish", tx.now, outcome={"leads": len(known.person.leads), "rows": rows})
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "finish", by="timer", now=tx.now)
    return 1


async def link(tx: Transaction, request_id: UUID, *, by: str) -> tuple[str, datetime]:
    """An address of the file that ends when the file does. Raises `FileNotReady`, `FileGone`."""
    expires_at = (await _file(tx, request_id))["expires_at"]
    token = links.sign(links.keys(tx.settings), purpose=PURPOSE, subject=str(request_id), expires_at=expires_at)
    await store.insert_move(tx.conn, request_id, "link", by=by, now=tx.now)
    return links.address(tx.settings, f"/p/{token}"), expires_at


async def download(tx: Transaction, request_id: UUID, *, by: str, detail: str | None) -> bytes:
    """The file; that it was given out is kept. Raises `FileNotReady`, `FileGone`."""
    await _file(tx, request_id)
    content = await store.get_content(tx.conn, request_id, tx.now)
    if content is None:
        raise FileGone("the file was deleted at its time")
    await store.insert_move(tx.conn, request_id, "download", by=by, now=tx.now, detail=detail)
    return content


async def delete_files(tx: Transaction, *, limit: int) -> int:
    """Files whose time is over; returns how many."""
    gone = await store.delete_expired(tx.conn, tx.now, limit=limit)
    for request_id in gone:
        await store.insert_move(tx.conn, request_id, "delete_file", by="timer", now=tx.now)
    return len(gone)


def archive(data: dict[str, Any]) -> bytes:
    """A ZIP with the data for machines (GDPR 20) and the same to read (GDPR 15)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data.json", json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True))
        packed.writestr("index.html", _PAGES.get_template("personal_data.html").render(data=data, shown=_shown))
    return out.getvalue()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _file(tx: Transaction, request_id: UUID) -> Any:
    request = await store.get_request(tx.conn, request_id)
    file = await store.find_file(tx.conn, request_id)
    if file is None:
        if request.state == "done":
            raise FileGone("there is no file of this request, or it was deleted at its time")
        raise FileNotReady("the export is not made yet; confirm the request and wait a moment")
    if file["expires_at"] <= tx.now:
        raise FileGone("the file was deleted at its time")
    return file
