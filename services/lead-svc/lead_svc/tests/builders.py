"""Objects with defaults; a test names only what it is about."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.timers import Timer

from lead_svc.domain.lead import Lead, blank
from lead_svc.domain.score import Rule
from lead_svc.timers import TIMERS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule(
    "test",
    {
        "industries": {"points": 20, "targets": ["software"]},
        "size": {"points": 15, "from": 50},
        "region": {"points": 10, "targets": ["DE"]},
        "free_mail": {"points": -5, "domains": ["gmail.com"]},
        "no_website": {"points": -5},
        "activities": {
            "form": {"points": 10, "half_life_days": 30, "group": "interest"},
            "demo_request": {"points": 25, "half_life_days": 30, "group": "intent"},
        },
        "caps": {"interest": 30, "intent": 50},
        "qualify": {"fit": 30, "engagement": 20, "high_intent": ["demo_request"]},
        "bands": {"warm": 30, "hot": 60},
    },
)


def lead(**changed: Any) -> Lead:
    given = {"id": new_id(), "flow_id": new_id(), "captured_via": "api", "channel": "web", "source": "Google"}
    return blank(**{**given, "created_at": NOW, "updated_at": NOW, **changed})


def import_form(csv: str | bytes, mapping: dict[str, str], **more: Any) -> dict[str, Any]:
    """Arguments of `client.post("/v1/imports", ...)`."""
    content = csv.encode() if isinstance(csv, str) else csv
    data = {"mapping": json.dumps(mapping)} | {name: json.dumps(value) for name, value in more.items()}
    return {"files": {"file": ("leads.csv", content, "text/csv")}, "data": data}


def timer(name: str) -> Timer:
    """The timer of the service by its name."""
    return next(timer for timer in TIMERS if timer.name == name)


async def capture(client: httpx.AsyncClient, **facts: Any) -> str:
    """A lead captured over HTTP; its id."""
    reply = await client.post("/v1/leads", json={"channel": "web", "source": "Google", **facts})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])
