"""Every text of every event says whether it is about a person."""

import json
from pathlib import Path

import pytest

import ltc_contracts
from ltc_contracts.personal import PERSONAL, redact, table, unnamed
from ltc_contracts.topics import TOPICS

ROOT = Path(ltc_contracts.__file__).parents[1]
EVENTS = {topic.event.TOPIC: topic.event for topic in TOPICS}


def test_every_text_of_every_event_is_named_as_personal_or_not() -> None:
    wrong = unnamed(EVENTS)
    assert not wrong, (
        "say in ltc_contracts/personal.py whether these are about a person (PERSONAL, PLAIN or STAFF): " + "; ".join(wrong)
    )


@pytest.mark.parametrize("topic", sorted(PERSONAL))
def test_an_event_without_its_person_still_fits_its_contract(topic: str) -> None:
    event = EVENTS[topic]
    example = json.loads((ROOT / "examples" / topic / f"{event.VERSION}.json").read_text())["data"]
    redacted = redact(topic, example)
    event.model_validate(redacted)
    assert redact(topic, json.loads(json.dumps(redacted))) == redacted


def test_the_contact_of_a_qualified_lead_is_gone_and_its_worth_stays() -> None:
    payload = {"contact": {"name": "Anna", "email": "a@b.de"}, "company": "Rossi", "fit": "40"}
    assert redact("lead.qualified", payload) == {"contact": None, "company": "Rossi", "fit": "40"}


def test_the_documentation_lists_what_the_code_knows() -> None:
    text = (ROOT.parent / "docs" / "privacy.md").read_text()
    assert table() in text, "put the output of `python -m ltc_contracts.personal` into docs/privacy.md"
