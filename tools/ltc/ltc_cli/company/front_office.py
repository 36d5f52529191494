"""What marketing and sales set up before business begins, and what campaigns cost every day."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import httpx

from ltc_cli.company.suite import Json, Refused, Suite


@dataclass(frozen=True, slots=True)
class Campaign:
    """What it is called, the channel it runs in, and what it costs a day (EUR)."""

    code: str
    name: str
    channel: str
    daily: str


CAMPAIGNS = (
    Campaign("search-2026", "Search ads 2026", "search_ads", "184.50"),
    Campaign("newsletter", "Monthly newsletter", "email", "22.00"),
    Campaign("fair-spring", "Spring fair", "event", "310.00"),
    Campaign("partners", "Partner programme", "partner", "45.75"),
)
REPS = ("Anna Snelling", "Darcel Schlecht", "Moses Frase", "Vicki Laflamme")
PLAN = {
    "code": "standard",
    "name": "Standard",
    "rate": "5",
    "tiers": [{"above": "100000", "rate": "7.5"}],
    "period": "quarter",
    "currency": "EUR",
}


JOURNEY: Json = {
    "entry": {"field": "campaign", "is": "is_set"},
    "from_name": "Zoe of the demo",
    "footer": "The company of the demo, Berlin",
    "steps": [
        {
            "key": "hello",
            "mail": {
                "subject": "Hello {{ first_name | default('there') }}",
                "text": "Our guide for {{ company }}: https://www.company.example/guide",
            },
        },
        {
            "key": "again",
            "after": {"days": 3},
            "mail": {"subject": "Did you see our guide?", "text": "Shall we talk, {{ name }}?"},
        },
    ],
}
NURTURED = 20
# The list of leads is worked off over a month, so the target is ten working days.
POLICY: Json = {
    "name": "Leads of campaigns",
    "condition": {"field": "campaign", "is": "is_set"},
    "target_minutes": 10 * 8 * 60,
    "warn_percent": 80,
    "calendar": {
        "timezone": "Europe/Berlin",
        "country": "DE",
        "week": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    },
    # No mail: the mails of the demo are those of the journey.
    "steps": [{"to": "queue", "mail": False}],
}


async def nurture(suite: Suite) -> None:
    """A journey of two mails for leads who agreed to get them."""
    leads = [lead for lead in (await suite.get("lead", "/v1/leads", status="new", limit=200))["items"] if lead["contact"]][
        :NURTURED
    ]
    for lead in leads:
        agreed = {"given": True, "wording": "Send me news", "source": "form"}
        await suite.post("lead", f"/v1/leads/{lead['id']}/consents", agreed)
    await _once(suite, "lead", "/v1/journeys", {"code": "welcome", "name": "Welcome", "plan": JOURNEY})
    await suite.post("lead", "/v1/journeys/welcome/versions/1/activate")


async def set_up(suite: Suite) -> None:
    """Campaigns, how soon leads are responded to, and a commission plan for every rep. Set up already, nothing changes."""
    if not await suite.get("lead", "/v1/sla-policies"):
        await suite.put("lead", "/v1/sla-policies/campaigns", POLICY)
    for campaign in CAMPAIGNS:
        body = {"code": campaign.code, "name": campaign.name, "channel": campaign.channel}
        await _once(suite, "lead", "/v1/campaigns", body)
    if not (await suite.get("sales", "/v1/commission-plans", code=PLAN["code"]))["items"]:
        await suite.post("sales", "/v1/commission-plans", PLAN)
        for rep in REPS:
            await suite.post("sales", "/v1/commission-assignments", {"rep": rep, "plan": PLAN["code"]})


class Marketing:
    """Tells what each campaign cost, a day at a time, as an ad platform would. `day_s` is a business day in wall seconds."""

    def __init__(self, suite: Suite, *, day_s: float, now: Callable[[], datetime]) -> None:
        self._suite = suite
        self._day_s = day_s
        self._now = now
        self._next = now().date()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Marketing":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._tell(self._now().date())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._day_s * 3)
            await self._tell(self._now().date())

    async def _tell(self, until: date) -> None:
        """The days that are over."""
        rows: list[Json] = []
        while self._next < until:
            rows += [
                {
                    "campaign": campaign.code,
                    "day": self._next.isoformat(),
                    "amount": {"amount": campaign.daily, "currency": "EUR"},
                    "source": campaign.channel,
                }
                for campaign in CAMPAIGNS
            ]
            self._next += timedelta(days=1)
        if rows:
            told = await self._suite.post("lead", "/v1/campaign-spend", {"rows": rows})
            if told["refused"]:
                raise AssertionError(f"spend was refused: {told['refused'][0]}")


async def call(suite: Suite, lead_id: str, rep: str) -> None:
    """A rep gets back to a lead."""
    body = {"type": "call", "direction": "outbound", "subject": f"{rep} called", "outcome": "reached"}
    await suite.post("lead", f"/v1/leads/{lead_id}/activities", body)


async def accept_by_link(suite: Suite, quote_id: str, name: str) -> None:
    """The customer opens the link to the offer, reads, says who they are and ticks the box."""
    url = (await suite.post("sales", f"/v1/quotes/{quote_id}/links", {}))["url"]
    form = {"action": "accept", "name": name, "role": "Head of purchasing", "order_reference": f"PO {quote_id[-6:]}"}
    await _say_yes(url, {**form, "consent": "yes"})
    if (await suite.get("sales", f"/v1/quotes/{quote_id}/answer"))["name"] != name:
        raise AssertionError("the quote was not accepted by who accepted it")


async def sign_by_link(suite: Suite, contract_id: str, signed_by: str) -> None:
    """The customer opens the link that the contract was sent with, reads, ticks the box, types a name; then it is verified."""
    await suite.post("sales", f"/v1/contracts/{contract_id}/send")
    url = (await suite.post("sales", f"/v1/contracts/{contract_id}/link"))["url"]
    await _say_yes(url, {"action": "sign", "signed_by": signed_by, "consent": "yes"})
    if not (await suite.get("sales", f"/v1/contracts/{contract_id}/verify"))["intact"]:
        raise AssertionError("the signed contract is not as it was signed")


async def _say_yes(url: str, form: Json) -> None:
    """As a browser does: the page, then its form with the digest of the document that it showed."""
    async with httpx.AsyncClient(timeout=30, headers={"Accept": "text/html"}, follow_redirects=True) as browser:
        page = (await browser.get(url)).raise_for_status().text
        shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
        if shown is None:
            raise AssertionError("the page shows no document to say yes to")
        (await browser.post(url, data={**form, "shown": shown[1]})).raise_for_status()


async def _once(suite: Suite, service: str, path: str, body: Json) -> None:
    try:
        await suite.post(service, path, body)
    except Refused as refused:
        if refused.status != 409:
            raise
