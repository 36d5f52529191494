"""`Idempotency-Key` as Stripe specifies it: the same key repeats the first answer instead of the effect.

The answer is stored in the transaction of the effect, so after a crash there is either both or neither. Refusals are not
stored: nothing happened, and the caller may try again with the same key.
"""

import hashlib

from fastapi import Request, Response
from ltc_contracts.errors import DomainError

from ltc_chassis.db import Transaction

HEADER = "Idempotency-Key"
_LONGEST = 255


class IdempotencyKeyReused(DomainError):
    """The key came before with another request."""

    kind = "conflict"


class IdempotencyKeyTooLong(DomainError):
    """The key exceeds 255 characters."""

    kind = "invalid"


async def claim(tx: Transaction, request: Request, principal: str) -> Response | None:
    """Claim the request's key in this transaction. None: go on; otherwise the answer given the first time.

    A concurrent request with the same key waits here until the first one has committed or rolled back.
    """
    key = request.headers[HEADER]
    if len(key) > _LONGEST:
        raise IdempotencyKeyTooLong(f"at most {_LONGEST} characters", field=HEADER)
    fingerprint = hashlib.sha256(
        request.method.encode() + b"\n" + str(request.url.path).encode() + b"\n" + await request.body()
    ).digest()
    fresh = await tx.conn.fetchval(
        """
        INSERT INTO idempotency_key (principal, key, fingerprint) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        principal,
        key,
        fingerprint,
    )
    if fresh:
        return None
    row = await tx.conn.fetchrow(
        "SELECT fingerprint, status, headers, body FROM idempotency_key WHERE principal = $1 AND key = $2",
        principal,
        key,
    )
    if row is None or row["fingerprint"] != fingerprint or row["status"] is None:
        raise IdempotencyKeyReused("this key was used for another request; draw a new one", field=HEADER)
    return Response(row["body"], row["status"], {**row["headers"], "Idempotent-Replayed": "true"})


async def store(tx: Transaction, request: Request, principal: str, response: Response) -> None:
    """Keep the answer beside the effect."""
    await tx.conn.execute(
        "UPDATE idempotency_key SET status = $3, headers = $4, body = $5 WHERE principal = $1 AND key = $2",
        principal,
        request.headers[HEADER],
        response.status_code,
        {name: value for name, value in response.headers.items() if name in ("content-type", "location")},
        bytes(response.body),
    )


async def forget_old(tx: Transaction) -> int:
    """Timer: keys older than a day are forgotten, as callers are told."""
    gone = await tx.conn.fetch(
        """
        DELETE FROM idempotency_key WHERE (principal, key) IN (
            SELECT principal, key FROM idempotency_key WHERE created_at < clock_timestamp() - interval '24 hours'
            ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """
    )
    return len(gone)
