"""The requests that the READMEs show: valid ones, from which bad ones are made."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).parents[3]
_COMMAND = re.compile(r"^curl .*?(?=\n(?:curl |#|```|\n)|\Z)", re.MULTILINE | re.DOTALL)
_FILES = {
    "leads.csv": b"Id,Company,Country,Lead Source,Lead Origin,Prospect ID,Converted\n1,Rossi SpA,IT,Google,web,p1,0\n2,Nord,DE,Bing,web,p2,1\n",
    "spend.csv": b"campaign,day,amount,currency\nspring,2026-01-07,12.50,EUR\n",
    "prices.csv": b"sku,unit_price,valid_from\nSEAT,49.90,2026-01-01\n",
    "people.csv": b"email,name\neva@nordwind.example,Eva\n",
    "receivables.csv": b"no,customer,issued,due,settled,amount\n1,C1,2025-11-01,2025-12-01,2025-12-04,10\n2,C1,2025-11-01,2025-12-01,,20\n",
    "accounts.csv": b"account,sector,country\nAcme,retail,DE\n",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One request. `json` is the parsed body; `form` and `files` are parts of a form; `content` a body that is none of them."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    content: bytes | None = None


def of_service(service: str) -> list[Example]:
    """Every curl command of a service's README, in its order."""
    text = (ROOT / "services" / f"{service}-svc" / "README.md").read_text()
    return [_example(command) for command in _COMMAND.findall(text)]


def _example(command: str) -> Example:
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, url, headers, form, files = "", "", {}, {}, {}
    body: str | None = None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name.strip().lower()] = value.strip()
        elif word in ("-d", "--data", "--data-binary", "--data-raw"):
            body = next(words)
        elif word == "-F":
            name, _, value = next(words).partition("=")
            if value.startswith("@"):
                files[name] = _file(value)
            else:
                form[name] = value
        elif word == "-o":
            next(words)
        elif not word.startswith("-"):
            url = word
    headers.pop("authorization", None)
    parts = urlsplit(url)
    sent = body is not None or form or files
    made = Example(
        method or ("POST" if sent else "GET"),
        parts.path,
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers,
        form=form,
        files=files,
    )
    if body is None:
        return made
    as_json = headers.get("content-type", "").startswith("application/json")
    raw = _file(body) if body.startswith("@") else body.encode()
    return Example(
        made.method, made.path, made.query, headers, json.loads(body) if as_json else None, content=None if as_json else raw
    )


def _file(word: str) -> bytes:
    name = word.removeprefix("@").partition(";")[0]
    return _FILES.get(Path(name).name, b"name\nAcme\n")


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value inside a body, containers too, with the way to it."""
    yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, (*path, number))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy with another value at the end of a way."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        return [replaced(each, rest, new) if number == first else each for number, each in enumerate(value)]
    return {**value, str(first): replaced(value.get(first), rest, new)}
