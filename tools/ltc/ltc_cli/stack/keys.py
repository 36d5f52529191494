"""The stack's own key pair and the tokens signed with it."""

import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Keys:
    """An Ed25519 pair in `folder`: services get the public half, `ltc token` signs with the private one."""

    def __init__(self, folder: Path) -> None:
        self._private = folder / "private.pem"
        self.public = folder / "public.pem"

    def ensure(self) -> None:
        """Draw the pair if there is none."""
        if self._private.exists() and self.public.exists():
            return
        self._private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = Ed25519PrivateKey.generate()
        self._private.touch(mode=0o600)
        self._private.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    def token(self, *, scopes: str = "*", subject: str = "developer", ttl_s: float = 24 * 3600) -> str:
        """A bearer token; `scopes` are space separated, `*` allows everything."""
        now = time.time()
        claims = {"iss": "ltc-dev", "aud": "ltc", "sub": subject, "iat": now, "exp": now + ttl_s, "scope": scopes}
        return jwt.encode(claims, self._private.read_bytes(), algorithm="EdDSA")
