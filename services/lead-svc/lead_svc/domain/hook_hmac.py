"""Signatures over the exact bytes, compared in constant time."""

import hashlib
import hmac
from collections.abc import Sequence

from lead_svc.domain.hook import WrongSignature


def hex_hmac(secret: bytes, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def same(given: bytes, known: Sequence[bytes]) -> bool:
    """Whether it is one of these; each is compared, so that the time it takes tells nothing."""
    found = [hmac.compare_digest(given, each) for each in known]
    return True in found


def check(header: str, given: str | None, prefix: str, secrets: Sequence[bytes], message: bytes) -> None:
    """Raise `WrongSignature` unless the header is `prefix` and the HMAC-SHA256 of the message by one of the secrets, in hex."""
    if given is None:
        raise WrongSignature("the signature is missing", field=header)
    told = given.strip()
    signature = told.removeprefix(prefix).lower().encode(errors="replace")
    right = same(signature, [hex_hmac(secret, message).encode() for secret in secrets])
    if not told.startswith(prefix) or not right:
        raise WrongSignature("the signature is not of this body by the secret of this endpoint", field=header)
