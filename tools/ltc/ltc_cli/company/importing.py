"""Files of other systems into the running suite, as a mapping says (docs/imports.md)."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltc_cli.company.suite import Json, Suite

_SERVICES = ("lead", "sales", "billing")


class BadMapping(Exception):
    """The mapping cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One file: where it goes, and the form that goes with it."""

    service: str
    title: str
    path: Path
    form: dict[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file; `refusals` are its first refused rows."""

    title: str
    imported: int
    duplicates: int
    refused: int
    refusals: Sequence[Json]


def read_mapping(folder: Path, mapping: Path) -> list[Step]:
    """The steps of a mapping, in its order. Raises `BadMapping` for a file that is not there or an entry that says too little."""
    try:
        entries = json.loads(mapping.read_text())
    except (OSError, ValueError) as error:
        raise BadMapping(f"{mapping}: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadMapping(f"{mapping}: must be a list of objects")
    return [_step(folder, entry) for entry in entries]


async def run(suite: Suite, steps: Sequence[Step], progress: Callable[[str, int, int], None]) -> list[Taken]:
    """Send each file and wait for it; `progress` is told the title, rows done and rows in all."""
    done: list[Taken] = []
    for step in steps:
        job = await suite.upload(
            "/v1/imports", service=step.service, file=step.path.read_bytes(), name=step.path.name, fields=step.form
        )
        progress(step.title, 0, job["total"])
        while job["state"] != "done":
            await asyncio.sleep(0.2)
            job = await suite.get(step.service, f"/v1/imports/{job['id']}")
            progress(step.title, job["processed"], job["total"])
        refusals = (await suite.get(step.service, f"/v1/imports/{job['id']}/errors", limit=20))["items"]
        done.append(Taken(step.title, job["imported"], job["duplicates"], job["refused"], refusals))
    return done


def _step(folder: Path, entry: dict[str, Any]) -> Step:
    missing = [name for name in ("service", "file", "columns") if name not in entry]
    if missing:
        raise BadMapping(f"an entry lacks {', '.join(missing)}")
    service, path = entry["service"], folder / entry["file"]
    if service not in _SERVICES:
        raise BadMapping(f"service is one of {', '.join(_SERVICES)}, not {service!r}")
    if not path.is_file():
        raise BadMapping(f"{path} does not exist")
    form = {"encoding": entry["encoding"]} if "encoding" in entry else {}
    if service == "lead":
        form |= {"mapping": json.dumps(entry["columns"])}
        form |= {name: json.dumps(entry[name]) for name in ("nulls", "defaults") if name in entry}
        return Step(service, f"leads from {path.name}", path, form)
    layout = {name: entry[name] for name in ("columns", "values", "defaults", "nulls", "dates") if name in entry}
    if service == "billing":
        return Step(service, f"receivables from {path.name}", path, {**form, "mapping": json.dumps(layout)})
    if "kind" not in entry:
        raise BadMapping("an entry for sales needs a kind")
    return Step(
        service, f"{entry['kind']} from {path.name}", path, {**form, "kind": entry["kind"], "mapping": json.dumps(layout)}
    )
