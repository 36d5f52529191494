"""What a minor version may change: it may add optional properties. Everything else is named, with its place."""

from collections.abc import Iterator
from typing import Any

_TEXTS = {"title", "description", "$id", "$schema", "examples", "default"}
Node = Any


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Why `new` is not a minor version of `old`; empty when it is. References are followed in both."""
    return list(_compare(old, new, old, new, "$", set()))


def _compare(old: Node, new: Node, old_root: Node, new_root: Node, place: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    old, new = _followed(old, old_root), _followed(new, new_root)
    if (id(old), id(new)) in seen:
        return
    seen.add((id(old), id(new)))
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{place}: {old!r} became {new!r}"
        return
    for name in sorted((set(old) | set(new)) - _TEXTS - {"$defs", "properties", "required"}):
        if name not in old or name not in new:
            yield f"{place}: '{name}' was {'added' if name in new else 'removed'}"
        elif isinstance(old[name], list):
            if len(old[name]) != len(new[name]):
                yield f"{place}.{name}: {old[name]!r} became {new[name]!r}"
                continue
            for index, (left, right) in enumerate(zip(old[name], new[name], strict=True)):
                yield from _compare(left, right, old_root, new_root, f"{place}.{name}[{index}]", seen)
        else:
            yield from _compare(old[name], new[name], old_root, new_root, f"{place}.{name}", seen)
    yield from _properties(old, new, old_root, new_root, place, seen)


def _properties(old: Node, new: Node, old_root: Node, new_root: Node, place: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        if name not in after:
            yield f"{place}.{name}: removed"
        else:
            yield from _compare(before[name], after[name], old_root, new_root, f"{place}.{name}", seen)
    for name in sorted(required_before ^ required_after):
        if name in after and name in before:
            yield f"{place}.{name}: {'became required' if name in required_after else 'is not required any more'}"
        elif name in after:
            yield f"{place}.{name}: a new property must be optional"


def _followed(node: Node, root: Node) -> Node:
    while isinstance(node, dict) and "$ref" in node:
        target = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node
