"""Files that prove what was handed over."""

from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from delivery_svc.domain import proof as rules
from delivery_svc.domain.handover import HandoverNotFound
from delivery_svc.domain.proof import Kind, Proof, ProofNotFound, ProofOfAnother, TooManyProofs
from delivery_svc.handlers.journal import delivery_for_update
from delivery_svc.store import proofs


async def keep(
    tx: Transaction, delivery_id: UUID, content: bytes, *, kind: Kind, name: str | None, handover_id: UUID | None, by: str
) -> tuple[Proof, bool]:
    """Keep a file of a delivery, or of one hand-over of it; the same bytes are the same file. Whether it is new.

    Raises `DeliveryNotFound`, `HandoverNotFound`, `UnknownProofFormat`, `TooManyProofs`, `ProofOfAnother`.
    """
    delivery = await delivery_for_update(tx, delivery_id)
    if handover_id is not None and not await proofs.has_handover(tx.conn, delivery.id, handover_id):
        raise HandoverNotFound(handover_id)
    media_type, sha256 = rules.media_type(content), rules.digest(content)
    known = await proofs.find_proof_by_digest(tx.conn, delivery.id, sha256)
    if known is not None:
        return await _name_handover(tx, known, handover_id), False
    if len(await proofs.list_proofs(tx.conn, delivery.id)) >= rules.MOST_PROOFS:
        raise TooManyProofs
    made = Proof(
        id=new_id(),
        delivery_id=delivery.id,
        handover_id=handover_id,
        kind=kind,
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=sha256,
        uploaded_by=by,
        uploaded_at=tx.now,
    )
    await proofs.insert_proof(tx.conn, made, content)
    return made, True


async def _name_handover(tx: Transaction, known: Proof, handover_id: UUID | None) -> Proof:
    """A file that is there already proves the hand-over that is named now; a hand-over it proves it proves for good."""
    if handover_id in (None, known.handover_id):
        return known
    if known.handover_id is not None:
        raise ProofOfAnother(known.id)
    await proofs.save_handover_of(tx.conn, known.id, handover_id)
    return replace(known, handover_id=handover_id)


async def free_proof(tx: Transaction, delivery_id: UUID, proof_id: UUID) -> Proof:
    """A file that proves no other hand-over yet. Raises `ProofNotFound`, `ProofOfAnother`."""
    found = await proofs.find_proof(tx.conn, delivery_id, proof_id)
    if found is None:
        raise ProofNotFound(proof_id)
    if found.handover_id is not None:
        raise ProofOfAnother(proof_id)
    return found
