"""Bearer tokens: JWT signed with Ed25519 (EdDSA), verified with the public key that LTC_AUTH_PUBLIC_KEY names."""

import time
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ltc_chassis.errors import Forbidden, Unauthenticated

COOKIE = "ltc_token"
_CACHE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what they may do. The scope `*` allows everything."""

    subject: str
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """Raise `Forbidden` without the scope."""
        if scope not in self.scopes and "*" not in self.scopes:
            raise Forbidden(f"this needs a token with the scope '{scope}'")


class Verifier:
    """Verifies tokens; remembers verified ones until they expire, since a signature check costs more than a request."""

    def __init__(self, public_key: Path, *, issuer: str, audience: str) -> None:
        key = load_pem_public_key(public_key.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{public_key} must hold an Ed25519 public key in PEM")
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._known: dict[str, tuple[float, Principal]] = {}

    def verify(self, token: str) -> Principal:
        """The principal of a token; raises `Unauthenticated` with the reason."""
        known = self._known.get(token)
        if known is not None and known[0] > time.time():
            return known[1]
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["EdDSA"],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            self._known.pop(token, None)
            raise Unauthenticated(f"the token is not valid: {error}") from error
        principal = Principal(str(claims["sub"]), frozenset(str(claims.get("scope", "")).split()))
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[token] = (float(claims["exp"]), principal)
        return principal
