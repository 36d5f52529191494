"""Links that carry their own permission: signed, bound to one purpose, valid until a moment of BUSINESS time.

    token = links.sign(links.keys(settings), purpose="quote.accept", subject=str(quote_id), expires_at=quote.valid_until)
    address = links.address(settings, f"/q/{token}")
    ...
    link = links.verify(links.keys(settings), token, purpose="quote.accept", now=tx.now)

A token is a JWT (HS256). It hides nothing: put no personal data into it. Whoever has the link may do what it is for, as often as
the state of its subject allows; a link that shall work once needs a state that changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from ltc_contracts.errors import DomainError

from ltc_chassis import secrets
from ltc_chassis.settings import ChassisSettings

KEY = "link-key"
_SHORTEST_KEY = 32
_LONGEST = 2000
_ALGORITHM = "HS256"


class LinkInvalid(DomainError):
    """The link was not made here, was changed, or is for something else. It is answered like a page that does not exist."""

    kind = "not_found"


class LinkExpired(DomainError):
    """The link was right, and its time is over."""

    kind = "gone"


class PublicAddressMissing(DomainError):
    """LTC_PUBLIC_URL is not set, so nobody can be sent a link to this service."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a verified link says."""

    purpose: str
    subject: str
    expires_at: datetime
    claims: Mapping[str, Any]


def keys(settings: ChassisSettings) -> tuple[bytes, ...]:
    """The service's keys for links, the signing one first. Raises `SecretMissing`."""
    return secrets.keys(settings, KEY)


def sign(
    key: bytes | Sequence[bytes],
    *,
    purpose: str,
    subject: str,
    expires_at: datetime,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token, safe in a URL. Of several keys the first one signs; `claims` are JSON. Raises ValueError when it gets too long."""
    payload = {"aud": purpose, "sub": subject, "exp": int(expires_at.timestamp()), "c": dict(claims or {})}
    token = jwt.encode(payload, _checked(_all(key)[0]), algorithm=_ALGORITHM)
    if len(token) > _LONGEST:
        raise ValueError(f"the link would have {len(token)} characters; at most {_LONGEST} survive a mail program")
    return token


def verify(key: bytes | Sequence[bytes], token: str, *, purpose: str, now: datetime) -> Link:
    """What the token says, if one of the keys signed it for this purpose and its time is not over.

    Raises `LinkInvalid`, `LinkExpired`.
    """
    if len(token) > _LONGEST:
        raise LinkInvalid("this link is not one of ours")
    for each in _all(key):
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                _checked(each),
                algorithms=[_ALGORITHM],
                audience=purpose,
                # Expiry is a matter of business time, below.
                options={"require": ["aud", "sub", "exp"], "verify_exp": False},
            )
            break
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError:
            raise LinkInvalid("this link is not one of ours") from None
    else:
        raise LinkInvalid("this link is not one of ours")
    expires_at = datetime.fromtimestamp(int(found["exp"]), UTC)
    if now >= expires_at:
        raise LinkExpired("this link is no longer valid; ask for a new one")
    return Link(purpose, str(found["sub"]), expires_at, found.get("c") or {})


def address(settings: ChassisSettings, path: str) -> str:
    """The address of a path of this service as the world sees it. Raises `PublicAddressMissing`."""
    if not settings.public_url:
        raise PublicAddressMissing("LTC_PUBLIC_URL is not set, so no link to this service can be made")
    return f"{settings.public_url.rstrip('/')}{path}"


def _all(key: bytes | Sequence[bytes]) -> Sequence[bytes]:
    return [key] if isinstance(key, bytes) else key


def _checked(key: bytes) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise secrets.SecretMissing(f"a key for links needs at least {_SHORTEST_KEY} bytes; `openssl rand -hex 32` makes one")
    return key
