"""HTTP in: what a person said yes or no to, over all leads with the address, and the proof of it as a file."""

import hashlib
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import Response
from ltc_chassis.api import Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.api.nurture import ConsentView, Email
from lead_svc.domain.consent import Consent, Purpose, address_hash
from lead_svc.domain.identity import normal_email
from lead_svc.store import consent as store

router = make_router(prefix="/v1/consents", tags=["privacy"])
Reader = Annotated[Principal, scope("consents:read")]


class Person(BaseModel):
    """Whose consents; of one purpose, or of all."""

    model_config = ConfigDict(extra="forbid")
    email: Email
    purpose: Purpose | None = None


class StandingView(BaseModel):
    """The latest word of the person on a purpose."""

    purpose: Purpose
    given: bool
    said_at: datetime


class PersonConsentsView(BaseModel):
    """How the person stands to each purpose, and everything that was said, the newest first, at most 1000."""

    standing: list[StandingView]
    suppressed: bool
    said: Annotated[list[ConsentView], Field(max_length=1000)]


@router.post("/look-up", dependencies=[scope("consents:read")])
async def look_up(body: Person, tx: Tx) -> PersonConsentsView:
    """What a person said, by e-mail address; a POST, so that addresses stand in no log of paths."""
    return await _found(tx, body)


@router.post("/proof", dependencies=[scope("consents:read")])
async def proof(body: Person, tx: Tx, caller: Reader) -> Response:
    """The same as a file to hand to whoever doubts it, with its SHA-256 in the header `Digest`."""
    found = await _found(tx, body)
    told = {"id": str(new_id()), "made_at": tx.now.isoformat(), "made_by": caller.subject, "email": body.email}
    content = orjson.dumps({**told, **found.model_dump(mode="json")}, option=orjson.OPT_INDENT_2)
    headers = {
        "Content-Disposition": 'attachment; filename="consent-proof.json"',
        "Cache-Control": "no-store",
        "Digest": f"sha-256={hashlib.sha256(content).hexdigest()}",
    }
    return Response(content, media_type="application/json", headers=headers)


async def _found(tx: Tx, body: Person) -> PersonConsentsView:
    normal, hashed = normal_email(body.email), address_hash(body.email)
    if normal is None or hashed is None:
        raise Invalid("this is not an e-mail address", field="email")
    said = await store.consents_of_address(tx.conn, normal, body.purpose)
    latest: dict[Purpose, Consent] = {}
    for each in said:
        latest.setdefault(each.purpose, each)
    return PersonConsentsView(
        standing=[StandingView(purpose=each.purpose, given=each.given, said_at=each.said_at) for each in latest.values()],
        suppressed=await store.find_suppression(tx.conn, hashed) is not None,
        said=[ConsentView.of(each) for each in said],
    )
