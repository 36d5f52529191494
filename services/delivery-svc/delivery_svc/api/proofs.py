"""HTTP in: files that prove what was handed over, as bytes."""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Query, Request, Response
from ltc_chassis.api import MB, Conn, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid
from pydantic import BaseModel

from delivery_svc.domain.proof import Kind, Proof, ProofNotFound
from delivery_svc.handlers import proofs as handlers
from delivery_svc.store import deliveries
from delivery_svc.store import proofs as store

router = make_router(prefix="/v1", tags=["proof of delivery"])
Writer = Annotated[Principal, scope("deliveries:write")]
FileName = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
_BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ProofView(BaseModel):
    """A file; `media_type` is what its bytes are, `handover_id` what it proves."""

    id: UUID
    delivery_id: UUID
    handover_id: UUID | None
    kind: Kind
    name: str | None
    media_type: str
    size: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime

    @classmethod
    def of(cls, proof: Proof) -> "ProofView":
        return cls(**{name: getattr(proof, name) for name in cls.model_fields})


class ProofsView(BaseModel):
    """All files of a delivery; there are at most 50."""

    items: list[ProofView]


@router.post("/deliveries/{delivery_id}/proofs", status_code=201, dependencies=[body_up_to(5 * MB)], openapi_extra=_BYTES)
async def keep_proof(
    delivery_id: UUID,
    request: Request,
    tx: Tx,
    caller: Writer,
    response: Response,
    kind: Kind = "photo",
    name: FileName = None,
    handover_id: UUID | None = None,
) -> ProofView:
    """A photo (JPEG, PNG, WebP, HEIC) or document (PDF), as bytes. Name it in the hand-over, or name the hand-over here afterwards.

    The same bytes again are answered with 200.
    """
    content = await request.body()
    if not content:
        raise Invalid("send the file as it is", field="body")
    made, fresh = await handlers.keep(tx, delivery_id, content, kind=kind, name=name, handover_id=handover_id, by=caller.subject)
    if not fresh:
        response.status_code = 200
    return ProofView.of(made)


@router.get("/deliveries/{delivery_id}/proofs", dependencies=[scope("deliveries:read")])
async def list_proofs(delivery_id: UUID, conn: Conn) -> ProofsView:
    """The files of a delivery."""
    await deliveries.get_delivery(conn, delivery_id)
    return ProofsView(items=[ProofView.of(each) for each in await store.list_proofs(conn, delivery_id)])


@router.get("/deliveries/{delivery_id}/proofs/{proof_id}", dependencies=[scope("deliveries:read")])
async def get_proof(delivery_id: UUID, proof_id: UUID, conn: Conn) -> Response:
    """A file, always to be saved and never to be shown by a browser."""
    row = await store.find_content(conn, delivery_id, proof_id)
    if row is None:
        raise ProofNotFound(proof_id)
    name = quote(row["name"] or str(proof_id), safe="")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
        "ETag": f'"{row["sha256"]}"',
    }
    return Response(row["content"], media_type=row["media_type"], headers=headers)
