"""The JSON Schemas of the contract, and the gate that keeps models, schemas and examples telling the same.

`python -m ltc_contracts.schema export|release|docs|check [--root contracts]`

Writers are closed (`additionalProperties: false`), readers tolerant: that makes adding an optional property a minor version
which old readers ignore and new readers do without. Anything else needs a new major on a topic of its own.
"""

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ltc_contracts import docs, examples
from ltc_contracts.compatibility import breaks
from ltc_contracts.events import Event
from ltc_contracts.topics import TOPICS, Topic

ROOT = Path(__file__).parents[1]
Schema = dict[str, Any]


def schema_of(event: type[Event]) -> Schema:
    """What `event` looks like on the wire, closed at every level."""
    made = event.model_json_schema(mode="serialization")
    _close(made)
    made.pop("title", None)
    made.pop("description", None)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": event.dataschema(),
        "title": event.__name__,
        "description": (event.__doc__ or "").strip(),
    }
    return {**head, **made}


def text_of(schema: Schema) -> str:
    """The file's content: stable, one property a line."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@functools.cache
def _text(event: type[Event]) -> str:
    return text_of(schema_of(event))


def export(root: Path, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Write the schema of every event's present version; returns the files that changed."""
    changed: list[str] = []
    for topic in topics:
        path = _path(root, topic.event)
        text = _text(topic.event)
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(str(path.relative_to(root)))
    return changed


def release(root: Path) -> list[str]:
    """Freeze every schema file that is not frozen yet: from now on its content may not change. Returns those added."""
    known = _released(root)
    new = {name: digest for name, digest in _digests(root).items() if name not in known}
    if new:
        (root / "schemas" / "released.json").write_text(json.dumps({**known, **new}, indent=1, sort_keys=True) + "\n")
    return sorted(new)


def check(root: Path, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Everything that disagrees, each with the file and what to do; empty when all is well."""
    problems: list[str] = []
    wanted = {_path(root, topic.event): topic for topic in topics}
    for path, topic in wanted.items():
        name = path.relative_to(root)
        if not path.exists():
            problems.append(f"{name}: missing; run `make schemas`")
        elif path.read_text() != _text(topic.event):
            problems.append(
                f"{name}: differs from the model {topic.event.__name__}; a released version may not change, add a minor"
            )
        problems += examples.problems_of(root, topic.event)
    problems += _orphans(root, topics)
    problems += _edited(root)
    for topic in topics:
        problems += _incompatible(root, topic)
    return problems


def _path(root: Path, event: type[Event]) -> Path:
    return root / event.dataschema().lstrip("/")


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
        for value in node.values():
            _close(value)
    elif isinstance(node, list):
        for value in node:
            _close(value)


def _files(root: Path) -> list[Path]:
    return sorted((root / "schemas").glob("*/*.json"))


def _digests(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root / "schemas")): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(root)}


def _released(root: Path) -> dict[str, str]:
    path = root / "schemas" / "released.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return known


def _edited(root: Path) -> list[str]:
    present, problems = _digests(root), []
    for name, digest in _released(root).items():
        if name not in present:
            problems.append(f"schemas/{name}: was released and is gone; bring it back")
        elif present[name] != digest:
            problems.append(f"schemas/{name}: was released and may not be edited; add a minor version instead")
    problems += [
        f"schemas/{name}: not released yet; run `python -m ltc_contracts.schema release`"
        for name in present
        if name not in _released(root)
    ]
    return problems


def _orphans(root: Path, topics: Sequence[Topic]) -> list[str]:
    names = {topic.name for topic in topics}
    folders = [folder for kind in ("schemas", "examples") for folder in (root / kind).glob("*") if folder.is_dir()]
    return [f"{folder.relative_to(root)}: no topic has this name" for folder in folders if folder.name not in names]


def _incompatible(root: Path, topic: Topic) -> list[str]:
    """Every later minor against every earlier one of the same major (full, transitive)."""
    versions: dict[int, list[tuple[int, Path]]] = {}
    for path in (root / "schemas" / topic.name).glob("*.json"):
        major, _, minor = path.stem.partition(".")
        versions.setdefault(int(major), []).append((int(minor), path))
    problems: list[str] = []
    for found in versions.values():
        found.sort()
        loaded = [(path, json.loads(path.read_text())) for _, path in found]
        for index, (later, new) in enumerate(loaded):
            for earlier, old in loaded[:index]:
                problems += [
                    f"{later.relative_to(root)} breaks {earlier.name}: {reason}; this needs a new major"
                    for reason in breaks(old, new)
                ]
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m ltc_contracts.schema", description=__doc__)
    parser.add_argument("action", choices=["export", "release", "docs", "check"])
    parser.add_argument("--root", type=Path, default=ROOT)
    given = parser.parse_args(arguments)
    page = given.root.parent / "docs" / "contracts.md"
    if given.action == "export":
        print("\n".join(export(given.root)) or "nothing changed")
        return 0
    if given.action == "release":
        print("\n".join(release(given.root)) or "nothing new")
        return 0
    if given.action == "docs":
        docs.write(page)
        return 0
    problems = check(given.root) + (docs.problems_of(page) if page.exists() else [])
    for problem in problems:
        print(f"contracts: {problem}", file=sys.stderr)
    if not problems:
        print(f"contracts: {len(TOPICS)} topics; models, schemas, examples and documentation agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
