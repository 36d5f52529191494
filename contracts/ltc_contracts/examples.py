"""Golden examples: one event per topic and version as it lies on Kafka. Producers and consumers are tested against them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import ValidationError

from ltc_contracts.envelope import Envelope
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Event
from ltc_contracts.topics import BY_NAME, TOPICS

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Example:
    """One record: headers and key as text, the value as JSON."""

    topic: str
    headers: dict[str, str]
    key: str
    data: dict[str, Any]

    @property
    def event(self) -> Event:
        """The value as its model."""
        return BY_NAME[self.topic].event.model_validate_json(json.dumps(self.data))

    @property
    def envelope(self) -> Envelope:
        return Envelope.from_headers(self.headers)


def example(topic: str, version: str = "1.0", root: Path = ROOT) -> Example:
    """The golden example of a topic; raises FileNotFoundError when there is none."""
    loaded = json.loads((root / "examples" / topic / f"{version}.json").read_text())
    return Example(topic, loaded["headers"], loaded["key"], loaded["data"])


def all_examples(root: Path = ROOT) -> list[Example]:
    """One per topic, in the order of the topics."""
    return [example(topic.name, topic.event.VERSION, root) for topic in TOPICS]


def problems_of(root: Path, event: type[Event]) -> list[str]:
    """Where the example of an event disagrees with its schema, its model or the envelope."""
    name = f"examples/{event.TOPIC}/{event.VERSION}.json"
    try:
        found = example(event.TOPIC, event.VERSION, root)
    except FileNotFoundError:
        return [f"{name}: missing; write the event as it lies on Kafka"]
    except (ValueError, KeyError) as error:
        return [f"{name}: not readable: {error!r}"]
    schema_path = root / event.dataschema().lstrip("/")
    problems: list[str] = []
    if schema_path.exists():
        validator = jsonschema.Draft202012Validator(json.loads(schema_path.read_text()))
        problems += [f"{name}: {error.json_path}: {error.message}" for error in validator.iter_errors(found.data)]
    try:
        written = json.loads(event.model_validate_json(json.dumps(found.data)).model_dump_json())
    except ValidationError as error:
        return [*problems, f"{name}: the model refuses it: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}"]
    if written != found.data:
        differing = sorted(key for key in {*written, *found.data} if written.get(key) != found.data.get(key))
        problems.append(f"{name}: the model writes it differently in {', '.join(differing)}")
    return problems + _envelope_problems(name, found, event)


def _envelope_problems(name: str, found: Example, event: type[Event]) -> list[str]:
    try:
        envelope = found.envelope
    except DomainError as error:
        return [f"{name}: {error.reason}"]
    written = {key: value.decode() for key, value in envelope.to_headers()}
    problems = [f"{name}: header {key}" for key in {*written, *found.headers} if written.get(key) != found.headers.get(key)]
    if envelope.type != event.type_name():
        problems.append(f"{name}: ce_type is {envelope.type}, not {event.type_name()}")
    if envelope.subject != found.event.subject:
        problems.append(f"{name}: ce_subject is not the event's {event.SUBJECT}")
    if envelope.partition_key != found.key or found.key != (str(envelope.flow_id) if envelope.flow_id else envelope.subject):
        problems.append(f"{name}: the key must be the flow id, or the subject where there is no flow")
    return problems
