"""The gate: every way in which model, schema, example and page can disagree is named, and all is well as it stands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from ltc_contracts import schema
from ltc_contracts.compatibility import breaks
from ltc_contracts.events import LeadQualified
from ltc_contracts.examples import all_examples, example
from ltc_contracts.topics import BY_NAME, BY_TYPE, TOPICS, owned_by, read_by

SCHEMA = f"schemas/lead.qualified/{LeadQualified.VERSION}.json"
EXAMPLE = f"examples/lead.qualified/{LeadQualified.VERSION}.json"
Change = Callable[[Any], Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("schemas", "examples"):
        shutil.copytree(schema.ROOT / folder, tmp_path / "contracts" / folder)
    return tmp_path / "contracts"


def edit(path: Path, change: Change) -> None:
    loaded = json.loads(path.read_text())
    change(loaded)
    path.write_text(json.dumps(loaded, indent=2) + "\n")


def test_all_agree_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["check"]) == 0
    assert f"{len(TOPICS)} topics" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        (SCHEMA, lambda s: s["properties"].pop("owner"), "differs from the model LeadQualified"),
        (SCHEMA, lambda s: s["properties"].pop("owner"), "may not be edited"),
        (EXAMPLE, lambda x: x["data"].pop("fit"), "the model refuses it"),
        (EXAMPLE, lambda x: x["data"].update(surprise=1), "surprise"),
        (EXAMPLE, lambda x: x["data"].update(fit=35), "is not of type 'string'"),
        (EXAMPLE, lambda x: x["data"].update(fit="35.0000000000001"), EXAMPLE),
        (EXAMPLE, lambda x: x["headers"].update(ce_type="ltc.lead.captured.v1"), "ce_type is"),
        (EXAMPLE, lambda x: x["headers"].update(ce_subject="somebody"), "ce_subject"),
        (EXAMPLE, lambda x: x["headers"].pop("ce_time"), "ce_time is missing"),
        (EXAMPLE, lambda x: x.update(key="another"), "the key must be the flow id"),
        (EXAMPLE, lambda x: x.pop("key"), "not readable"),
    ],
)
def test_each_disagreement_is_named(root: Path, path: str, change: Change, says: str) -> None:
    edit(root / path, change)
    assert any(says in problem for problem in schema.check(root)), schema.check(root)
    assert schema.main(["check", "--root", str(root)]) == 1


def test_missing_and_foreign_files_are_named(root: Path) -> None:
    (root / SCHEMA).unlink()
    (root / EXAMPLE).unlink()
    (root / "schemas" / "lead.forgotten").mkdir()
    found = "\n".join(schema.check(root))
    for says in (f"{SCHEMA}: missing", f"{EXAMPLE}: missing", "was released and is gone", "lead.forgotten: no topic"):
        assert says in found


def test_export_writes_what_is_missing_and_release_freezes_it(root: Path) -> None:
    (root / SCHEMA).unlink()
    assert schema.export(root) == [SCHEMA]
    assert schema.export(root) == []
    assert schema.check(root) == []
    (root / "schemas" / "lead.qualified" / "1.9.json").write_text((root / SCHEMA).read_text())
    assert any("not released yet" in problem for problem in schema.check(root))
    assert schema.release(root) == ["lead.qualified/1.9.json"]
    assert schema.check(root) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["properties"].update(more={"type": "string"}), None),
        (lambda s: (s["properties"].update(more={"type": "string"}), s["required"].append("more")), "must be optional"),
        (lambda s: s["properties"].pop("owner"), "owner: removed"),
        (lambda s: s["required"].remove("fit"), "fit: is not required any more"),
        (lambda s: s["properties"]["reason"]["enum"].append("luck"), "reason.enum"),
        (lambda s: s["properties"]["lead_id"].pop("format"), "'format' was removed"),
        (lambda s: s["properties"]["lead_id"].update(type="integer"), "type"),
        (lambda s: s["$defs"]["Contact"]["properties"].pop("email"), "email: removed"),
    ],
)
def test_a_minor_version_may_only_add_what_is_optional(root: Path, change: Change, says: str | None) -> None:
    later = root / "schemas" / "lead.qualified" / "1.9.json"
    later.write_text((root / SCHEMA).read_text())
    edit(later, change)
    schema.release(root)
    problems = schema.check(root)
    if says is None:
        assert problems == []
    else:
        assert any(says in problem and "needs a new major" in problem for problem in problems), problems


def test_a_schema_that_refers_to_itself_is_compared_to_an_end() -> None:
    tree = {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}, "$ref": "#/$defs/Node"}
    assert breaks(tree, json.loads(json.dumps(tree))) == []


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
def test_what_a_model_writes_its_released_schema_accepts_and_closes(topic: str) -> None:
    found = example(topic)
    released = json.loads((schema.ROOT / found.event.dataschema().lstrip("/")).read_text())
    jsonschema.Draft202012Validator(released).validate(json.loads(found.event.model_dump_json()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**found.data, "surprise": 1}, released)


def test_readers_are_tolerant_and_models_frozen() -> None:
    found = example("lead.qualified")
    read = LeadQualified.model_validate_json(json.dumps({**found.data, "added_later": 1}))
    assert read == found.event
    with pytest.raises(ValidationError):
        read.owner = "another"  # type: ignore[misc] # the point of the test


def test_the_examples_tell_one_deal() -> None:
    captured = example("lead.captured").envelope.flow_id
    for topic in ("lead.qualified", "contract.signed", "order.confirmed", "delivery.completed", "invoice.paid", "order.closed"):
        assert example(topic).envelope.flow_id == captured
    ids = [each.envelope.id for each in all_examples()]
    assert len(set(ids)) == len(ids) == len(TOPICS)


def test_topics_have_one_owner_a_past_participle_and_known_readers() -> None:
    services, outside = {"lead", "sales", "order", "delivery", "billing"}, {"erp", "mes"}
    assert len(BY_NAME) == len(BY_TYPE) == len(TOPICS)
    for topic in TOPICS:
        assert topic.owner in services | outside
        assert (topic.owner in outside) <= (not topic.event.OF_A_FLOW)
        assert set(topic.readers) <= services - {topic.owner}
        assert topic.event.type_name() == f"ltc.{topic.name}.v1"
        assert topic.event.SUBJECT in topic.event.model_fields
    assert {"lead.qualified", "order.confirmed", "invoice.overdue"} <= set(BY_NAME)
    assert sum(len(owned_by(service)) for service in services | outside) == len(TOPICS)
    assert [topic.name for topic in read_by("delivery")] == [
        "order.confirmed",
        "order.cancellation_requested",
        "order.change_requested",
        "mes.production_progressed",
    ]
