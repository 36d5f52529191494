"""Bytes of a stranger as JSON or form fields, strictly: what two readers could understand differently is refused (RFC 8259, 4 and 8)."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from lead_svc.domain.hook import LONGEST_ID, Push, Unreadable

_DEEPEST = 20
_MOST_FIELDS = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ID = re.compile(r"[A-Za-z0-9._:,~+/=-]+")


def read_json(body: bytes) -> dict[str, Any]:
    """An object of JSON in UTF-8. Raises `Unreadable` for another encoding, a key that comes twice, more than 20 levels, NaN."""
    text = _text(body)
    _check_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except ValueError as error:
        raise Unreadable("is no JSON", field="body") from error
    if not isinstance(value, dict):
        raise Unreadable("is no JSON object", field="body")
    return value


def read_fields(push: Push) -> dict[str, Any]:
    """A JSON object or, where the request says so, form fields. Raises `Unreadable`."""
    if push.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return _form(_text(push.body), "body")
    return read_json(push.body)


def read_query(query: str) -> dict[str, str]:
    """The parameters of an address. Raises `Unreadable`."""
    return _form(query, "query")


def member(value: Any, name: str, kind: type[Any] | tuple[type[Any], ...], *, where: str = "") -> Any:
    """A member of an object, None where it is missing or null. Raises `Unreadable` where it is of another type."""
    if not isinstance(value, dict):
        raise Unreadable("is no object", field=where or "body")
    found = value.get(name)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if found is None or (isinstance(found, kind) and (not isinstance(found, bool) or bool in kinds)):
        return found
    raise Unreadable("has another type than the platform describes", field=f"{where}.{name}" if where else name)


def items(value: Any, name: str, *, where: str = "", most: int = 500) -> list[tuple[str, Any]]:
    """The entries of a list with their paths; none where it is missing. Raises `Unreadable`."""
    found = member(value, name, list, where=where) or []
    path = f"{where}.{name}" if where else name
    if len(found) > most:
        raise Unreadable(f"has more than {most} entries", field=path)
    return [(f"{path}.{number}", each) for number, each in enumerate(found)]


def text_of(value: Any, name: str, *, where: str = "") -> str | None:
    """A text or a number as text, without surrounding white space; None where there is nothing. Raises `Unreadable`."""
    found = member(value, name, (str, int, float), where=where)
    return None if found is None else checked(str(found), f"{where}.{name}" if where else name).strip() or None


def checked(text: str, path: str) -> str:
    """The text, if it can be kept. Raises `Unreadable` for control signs and halves of characters."""
    if _CONTROL.search(text):
        raise Unreadable("holds a control character", field=path)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("holds half a character", field=path) from error
    return text


def id_of(value: Any, *names: str, where: str = "") -> str:
    """The platform's id under the first of these names that is there. Raises `Unreadable`."""
    for name in names:
        found = text_of(value, name, where=where)
        if found is not None:
            if len(found) > LONGEST_ID or not _ID.fullmatch(found):
                raise Unreadable("is no id", field=f"{where}.{name}" if where else name)
            return found
    raise Unreadable("is missing", field=f"{where}.{names[0]}" if where else names[0])


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8", field="body") from error


def _check_depth(text: str) -> None:
    # Before it is parsed, since the parser's own limit depends on who calls it.
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if quoted:
            if escaped:
                escaped = False
            elif sign == "\\":
                escaped = True
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign in "[{":
            depth += 1
            if depth > _DEEPEST:
                raise Unreadable(f"has more than {_DEEPEST} levels", field="body")
        elif sign in "]}":
            depth -= 1


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise Unreadable("holds a key twice", field="body")
        made[key] = value
    return made


def _no_number(_: str) -> Any:
    raise Unreadable("holds a number that is none", field="body")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unreadable("holds a number that is too large", field="body")
    return value


def _int(text: str) -> int:
    if len(text) > 40:
        raise Unreadable("holds a number that is too large", field="body")
    return int(text)


def _form(text: str, where: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Unreadable("are no form fields", field=where) from error
    return {checked(key, where): checked(value, where) for key, value in _once(pairs).items()}
