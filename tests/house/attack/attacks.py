"""From each route and each valid request, the bad ones."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from tests.house.attack import nasty
from tests.house.attack.examples import Example, leaves, replaced
from tests.house.attack.world import World

_DEEPEST = 3
# Answers that go on until the reader leaves.
ENDLESS = {"/v1/stream"}


@dataclass(frozen=True, slots=True)
class Attack:
    """A valid request, and how it is spoilt once ids and versions of the moment stand in it."""

    base: Example
    spoil: Callable[[Example], tuple[Example, bytes | None, list[tuple[str, bytes]]]]

    async def on(self, world: World) -> None:
        example, raw, headers = self.spoil(world.settled(self.base))
        await world.send(example, raw=raw, headers=headers)


def of_routes(document: dict[str, Any], examples: list[Example]) -> dict[str, list[Attack]]:
    """Every attack on every route of an OpenAPI document, by the route."""
    found: dict[str, list[Attack]] = {}
    for path, operations in document["paths"].items():
        if path in ENDLESS:
            continue
        pattern = re.compile(re.sub(r"\\{[^/]+?\\}", "[^/]+", re.escape(path)))
        for method, operation in operations.items():
            shown = [each for each in examples if each.method == method.upper() and pattern.fullmatch(each.path)]
            bases = shown or [_drawn(document, path, method, operation)]
            name = f"{method.upper()} {path}"
            found[name] = [attack for base in bases[:3] for attack in _attacks(document, path, operation, base)]
    return found


def some(attacks: dict[str, list[Attack]], rng: random.Random, per_route: int | None) -> list[Attack]:
    """So many of each route, mixed; None is all."""
    chosen = [
        attack
        for each in attacks.values()
        for attack in (each if per_route is None else rng.sample(each, min(per_route, len(each))))
    ]
    rng.shuffle(chosen)
    return chosen


def _attacks(document: dict[str, Any], path: str, operation: dict[str, Any], base: Example) -> Iterator[Attack]:
    yield Attack(base, lambda example: (example, None, []))
    places = [number for number, part in enumerate(path.split("/")) if part.startswith("{")]
    for place in places:
        for value in nasty.PATHS:
            yield Attack(base, lambda example, place=place, value=value: (_with_part(example, place, value), None, []))  # type: ignore[misc]
    named = {each["name"]: each for each in operation.get("parameters", []) if each["in"] == "query"}
    for name in named.keys() | dict(base.query).keys():
        for value in _query_values(document, named.get(name, {})):
            yield Attack(base, lambda example, name=name, value=value: (_with_query(example, name, value), None, []))  # type: ignore[misc]
    for header, raw in nasty.HEADERS:
        yield Attack(base, lambda example, header=header, raw=raw: (example, None, [(header, raw)]))  # type: ignore[misc]
    if "requestBody" not in operation and base.content is None:
        return
    for content in nasty.BODIES:
        yield Attack(base, lambda example, content=content: (example, content, []))  # type: ignore[misc]
        yield Attack(base, lambda example, content=content: (example, content, [("content-type", b"application/json")]))  # type: ignore[misc]
    for name in (*base.form, *base.files):
        for text in (*nasty.TEXTS, *(body.decode("latin-1") for body in nasty.BODIES)):
            yield Attack(base, lambda example, name=name, text=text: (_with_part_of_form(example, name, text), None, []))  # type: ignore[misc]
    body = _whole(document, operation, base.json) if base.json is not None else None
    for way, value in leaves(body):
        for new in nasty.for_value(value):
            yield Attack(base, lambda example, way=way, new=new: (replace(example, json=_put(example.json, way, new)), None, []))  # type: ignore[misc]


def _put(body: Any, way: tuple[str | int, ...], new: Any) -> Any:
    try:
        return replaced(body, way, new)
    except (AttributeError, TypeError):
        return new


def _with_part(example: Example, place: int, value: str) -> Example:
    parts = example.path.split("/")
    parts[place] = value
    return replace(example, path="/".join(parts))


def _with_query(example: Example, name: str, value: str) -> Example:
    kept = tuple((key, each) for key, each in example.query if key != name)
    return replace(example, query=(*kept, (name, value)))


def _with_part_of_form(example: Example, name: str, text: str) -> Example:
    encoded = text.encode("utf-8", "surrogatepass")
    if name in example.files:
        return replace(example, files={**example.files, name: encoded})
    return replace(example, form={**example.form, name: encoded.decode("latin-1")})


def _query_values(document: dict[str, Any], parameter: dict[str, Any]) -> list[str]:
    value = _value_of(document, parameter.get("schema", {}), 0)
    texts = [str(each) for each in nasty.for_value(value) if isinstance(each, str | int | float)]
    return ["%00", "%FF", "%ED%A0%80", *(quote(text[:3000], errors="surrogatepass") for text in texts if text not in nasty.RAW)]


def _drawn(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Example:
    """A request by the route's description alone: every parameter that it needs, every field of its body."""
    content = operation.get("requestBody", {}).get("content", {})
    given = re.sub(r"\{(\w+?)(_id)?\}", lambda match: f"${match[1].upper()}" if match[2] else "x", path)
    needed = [each for each in operation.get("parameters", []) if each["in"] == "query" and each.get("required")]
    query = tuple((each["name"], str(_value_of(document, each["schema"], 0))) for each in needed)
    if "application/json" in content:
        return Example(method.upper(), given, query, json=_value_of(document, content["application/json"]["schema"], 0))
    for kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        if kind in content:
            body = _value_of(document, content[kind]["schema"], 0)
            return Example(method.upper(), given, query, form={name: str(value) for name, value in body.items()})
    return Example(method.upper(), given, query)


def _whole(document: dict[str, Any], operation: dict[str, Any], body: Any) -> Any:
    """The example with the fields that it leaves out, so that these are attacked as well."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    drawn = _value_of(document, schema, 0)
    return {**drawn, **body} if isinstance(drawn, dict) and isinstance(body, dict) else body


def _value_of(document: dict[str, Any], schema: dict[str, Any], depth: int) -> Any:
    """A value that a schema allows, more or less."""
    if "$ref" in schema:
        return _value_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            kinds = [each for each in schema[key] if each.get("type") != "null"]
            return _value_of(document, kinds[0], depth) if kinds else None
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        if depth >= _DEEPEST:
            return {}
        return {name: _value_of(document, each, depth + 1) for name, each in schema.get("properties", {}).items()} or {"x": "x"}
    if kind == "array":
        return [_value_of(document, schema.get("items", {}), depth + 1)] if depth < _DEEPEST else []
    formats = {
        "date-time": "2026-01-15T00:00:00Z",
        "date": "2026-01-15",
        "uuid": "00000000-0000-7000-8000-000000000001",
    }
    plain: dict[Any, Any] = {"integer": 1, "number": 1.5, "boolean": True, "string": formats.get(schema.get("format", ""), "x")}
    if kind == "string" and "[0-9]" in schema.get("pattern", ""):
        return "1"
    return plain.get(kind, "x")
