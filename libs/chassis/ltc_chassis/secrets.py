"""Secrets by reference: a name is a file in `settings.secrets_dir`, as Kubernetes, Docker and Vault agents lay them.

A value is read again after a few seconds, so replacing the file is all that a rotation takes. While a key is being rotated, the
one before lies beside it as `<name>.previous` and is still accepted by those who ask for `keys`.
"""

import re
import time
from pathlib import Path

from ltc_contracts.errors import DomainError, Invalid

from ltc_chassis.settings import ChassisSettings

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FRESH_S = 5.0
_LARGEST = 64 * 1024
_CACHE_SIZE = 1000
_known: dict[Path, tuple[float, bytes]] = {}


class SecretMissing(DomainError):
    """No secret lies under this name; whoever runs the service puts one there."""


def check_name(name: str, *, field: str | None = None) -> str:
    """The name, if it is one: lower-case letters, digits, `-` and `_`, at most 63. Raises `Invalid`."""
    if _NAME.fullmatch(name) is None:
        raise Invalid("the name of a secret has lower-case letters, digits, - and _, at most 63", field=field)
    return name


def get(settings: ChassisSettings, name: str) -> bytes:
    """The secret without surrounding white space. Raises `Invalid` for an impossible name, `SecretMissing`."""
    value = _read(settings, check_name(name))
    if value is None:
        raise SecretMissing(f"there is no secret '{name}' (a file of LTC_SECRETS_DIR)")
    return value


def text(settings: ChassisSettings, name: str) -> str:
    """The secret as text. Raises as `get` does."""
    try:
        return get(settings, name).decode()
    except UnicodeDecodeError as error:
        raise SecretMissing(f"the secret '{name}' is not text in UTF-8") from error


def keys(settings: ChassisSettings, name: str) -> tuple[bytes, ...]:
    """The key that signs, and after it the one before, if that is still accepted. Raises as `get` does."""
    current, previous = get(settings, name), _read(settings, f"{name}.previous")
    return (current,) if previous is None else (current, previous)


def _read(settings: ChassisSettings, file: str) -> bytes | None:
    if settings.secrets_dir is None:
        return None
    path = settings.secrets_dir / file
    known = _known.get(path)
    if known is not None and time.monotonic() - known[0] < _FRESH_S:
        return known[1]
    try:
        with path.open("rb") as opened:
            value = opened.read(_LARGEST + 1).strip()
    except (FileNotFoundError, NotADirectoryError):
        _known.pop(path, None)
        return None
    except OSError as error:
        raise SecretMissing(f"the secret '{file}' cannot be read ({type(error).__name__})") from error
    if not value or len(value) > _LARGEST:
        raise SecretMissing(f"the secret '{file}' is empty or larger than {_LARGEST} bytes")
    if len(_known) >= _CACHE_SIZE:
        _known.clear()
    _known[path] = (time.monotonic(), value)
    return value
