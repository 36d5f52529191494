"""Trade shows: lists that come as files, and badges scanned by scanners that are offline for hours (L1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import import_form, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
As = Callable[..., httpx.AsyncClient]
Run = Callable[[Timer], Awaitable[int]]
Json = dict[str, Any]
ANNA = {"name": "Anna Rossi", "email": "anna@rossi.example"}


@pytest.fixture(autouse=True)
async def fair(client: httpx.AsyncClient, clock: FixedClock) -> None:
    """It is the third of March; the fair was yesterday."""
    for code, channel in (("hannover26", "event"), ("spring", "search_ads")):
        assert (
            await client.post("/v1/campaigns", json={"code": code, "name": "Hannover", "channel": channel})
        ).status_code == 201
    clock.advance(days=61)


def scan(number: int, **facts: Any) -> Json:
    return {"device_id": "S-7", "scan_id": str(number), "occurred_at": "2026-03-02T10:15:00+01:00", **facts}


async def send(client: httpx.AsyncClient, *scans: Any, campaign: str = "hannover26") -> Json:
    reply = await client.post("/v1/badge-scans", json={"campaign": campaign, "scans": list(scans)})
    assert reply.status_code == 200, reply.text
    told: Json = reply.json()
    return told


async def test_a_scan_is_a_lead_at_the_time_it_was_made_however_late_it_comes_in(
    client: httpx.AsyncClient, emitted: Emissions
) -> None:
    told = await send(
        client,
        scan(
            1,
            company="Rossi",
            contact=ANNA,
            badge={"Title": "CTO"},
            notes="wants a quote",
            rating="hot",
            interest=["pumps", "pipes"],
        ),
    )
    assert told["server_time"] == "2026-03-03T00:00:00Z"
    lead = (await client.get(f"/v1/leads/{told['rows'][0]['id']}")).json()
    assert (lead["captured_via"], lead["channel"], lead["campaign"], lead["company"]) == ("event", "event", "hannover26", "Rossi")
    assert lead["attributes"] == {
        "Title": "CTO",
        "booth_notes": "wants a quote",
        "rating": "hot",
        "interest": "pumps; pipes",
        "scanner": "S-7",
    }
    assert lead["created_at"] == "2026-03-02T09:15:00Z"
    events = {each.topic: each for each in await emitted() if each.topic != "lead.scored"}
    for topic in ("lead.captured", "lead.engaged"):
        assert events[topic].headers["ce_time"].startswith("2026-03-02T09:15:00"), topic
        assert events[topic].headers["ce_recordedtime"].startswith("2026-03-03T00:00:00"), topic
    assert events["lead.engaged"].event.activity == "badge_scan"
    assert "wants a quote" not in events["lead.captured"].event.model_dump_json()


async def test_a_scan_that_comes_again_is_known_by_device_and_number_also_when_two_come_at_once(
    client: httpx.AsyncClient,
) -> None:
    first = await send(client, scan(1), scan(2), scan(1, company="again"))
    assert [each["result"] for each in first["rows"]] == ["taken", "taken", "known"]
    other = await send(client, {**scan(1), "device_id": "S-8"}, scan(2))
    assert [each["result"] for each in other["rows"]] == ["taken", "known"]
    assert other["rows"][1]["id"] == first["rows"][1]["id"]
    scans = [scan(number) for number in range(100, 200)]
    told = await asyncio.gather(*(send(client, *scans) for _ in range(3)))
    assert (sum(each["taken"] for each in told), sum(each["known"] for each in told)) == (100, 200)


@pytest.mark.parametrize(
    ("occurred_at", "result", "created_at"),
    [
        ("2026-03-03T00:04:59Z", "taken", "2026-03-03T00:00:00Z"),  # a clock that is a little ahead: it is now
        ("2026-03-03T00:05:01Z", "refused", None),
        ("2025-03-01T00:00:00Z", "taken", "2025-03-01T00:00:00Z"),
        ("1970-01-01T00:00:10Z", "refused", None),
        ("2026-03-02T10:00:00", "refused", None),  # of no time zone
    ],
)
async def test_a_scanner_whose_clock_is_wrong_is_told_so_by_row(
    client: httpx.AsyncClient, occurred_at: str, result: str, created_at: str | None
) -> None:
    told = await send(client, scan(1, occurred_at=occurred_at), scan(2))
    assert [each["result"] for each in told["rows"]] == [result, "taken"]
    if created_at is None:
        assert told["rows"][0]["problem"]["field"] == "occurred_at"
    else:
        assert (await client.get(f"/v1/leads/{told['rows'][0]['id']}")).json()["created_at"] == created_at


async def test_an_opt_in_at_the_booth_is_a_consent_with_its_proof(client: httpx.AsyncClient) -> None:
    told = await send(
        client, scan(1, contact=ANNA, opt_in={"wording": "Send me news"}), scan(2, contact={"email": "b@x.example"})
    )
    agreed, silent = [(await client.get(f"/v1/leads/{row['id']}/consents")).json() for row in told["rows"]]
    [consent] = agreed["items"] if isinstance(agreed, dict) else agreed
    assert (consent["given"], consent["wording"], consent["source"]) == (True, "Send me news", "badge scan")
    assert consent["evidence"] == {"device": "S-7", "scan": "1"}
    assert consent["said_at"] == "2026-03-02T09:15:00Z"
    assert not (silent["items"] if isinstance(silent, dict) else silent)


async def test_a_bad_scan_spoils_no_other_and_a_batch_is_bounded(client: httpx.AsyncClient, rep: As) -> None:
    told = await send(
        client,
        scan(1, rating="boiling"),
        scan(2, contact={"email": "a@b.example\r\nBcc: c@d.example"}),
        {**scan(3), "device_id": "a:b"},
        {"scan_id": "4"},
        "5",
        scan(6, badge={"x": "y" * 2001}),
        scan(7),
    )
    assert [each["result"] for each in told["rows"]] == [*["refused"] * 6, "taken"]
    assert [each["problem"]["field"] for each in told["rows"][:6]] == [
        *("rating", "contact.email", "device_id", "device_id", "row", "badge.x")
    ]
    many = await client.post("/v1/badge-scans", json={"campaign": "hannover26", "scans": [scan(1)] * 1001})
    assert many.status_code == 422
    assert (
        await rep("x", "leads:read").post("/v1/badge-scans", json={"campaign": "hannover26", "scans": [scan(1)]})
    ).status_code == 403


@pytest.mark.parametrize("campaign", ["spring", "nothing"])
async def test_scans_belong_to_a_campaign_that_is_an_event(client: httpx.AsyncClient, campaign: str) -> None:
    reply = await client.post("/v1/badge-scans", json={"campaign": campaign, "scans": [scan(1)]})
    assert (reply.status_code, reply.json()["field"]) == (400, "campaign")


# As organisers send them: of the shape of a badge, with a title line of columns, phone numbers of the country, notes in quotes.
GERMAN = (
    "Badge-Nr.;Vorname Nachname;Firma;Land;E-Mail;Telefon;Interesse;Bemerkung\r\n"
    '104711;Jürgen Groß;"Müller & Söhne GmbH; Werk 2";Germany;j.gross@mueller-soehne.example;030 901820;Pumpen;"sagte: ""bald"""\r\n'
    "104712;Zoé Lefèvre;Énergie Côte d’Azur;France;zoe@energie.example;+33 4 93 00 00 00;;\r\n"
    "104713;;=cmd|' /C calc'!A0;Atlantis;kaputt;;;\r\n"
    "104711;Jürgen Groß;Müller & Söhne GmbH;Germany;j.gross@mueller-soehne.example;;;\r\n"
)
CHINESE = (
    "胸牌号;姓名;公司;国家;邮箱;电话\r\n8801;张三;北京太阳能有限公司;CN;zhang.san@solar.example;010 8888 8888\r\n"
    "8802;李四;上海水泵厂;CN;;\r\n"
)
PLACES = {"external_ref": 0, "contact.name": 1, "company": 2, "country": 3, "contact.email": 4, "contact.phone": 5}


@pytest.mark.parametrize(
    ("text", "codec", "said", "counts", "names"),
    [
        (
            GERMAN,
            "utf-8-sig",
            None,
            (2, 1, 1),
            [("Jürgen Groß", "Müller & Söhne GmbH; Werk 2"), ("Zoé Lefèvre", "Énergie Côte d’Azur")],
        ),
        (
            GERMAN,
            "cp1252",
            "windows-1252",
            (2, 1, 1),
            [("Jürgen Groß", "Müller & Söhne GmbH; Werk 2"), ("Zoé Lefèvre", "Énergie Côte d’Azur")],
        ),
        (CHINESE, "gbk", "gbk", (2, 0, 0), [("张三", "北京太阳能有限公司"), ("李四", "上海水泵厂")]),
    ],
)
async def test_a_list_of_a_trade_show_comes_in_with_its_campaign_whatever_it_was_saved_as(
    client: httpx.AsyncClient,
    run_timer: Run,
    emitted: Emissions,
    text: str,
    codec: str,
    said: str | None,
    counts: tuple[int, int, int],
    names: list[tuple[str, str]],
) -> None:
    header = text.splitlines()[0].split(";")
    form = import_form(
        text.encode(codec),
        {field: header[place] for field, place in PLACES.items()},
        defaults={"channel": "event", "source": "Hannover", "campaign": "hannover26"},
    )
    form["data"] |= {"encoding": said} if said else {}
    job = await client.post("/v1/imports", **form)
    assert job.status_code == 202, job.text
    await run_timer(timer("import-rows"))
    done = (await client.get(f"/v1/imports/{job.json()['id']}")).json()
    assert (done["imported"], done["duplicates"], done["refused"]) == counts
    leads = (await client.get("/v1/leads")).json()["items"]
    assert [(lead["contact"]["name"], lead["company"]) for lead in leads] == names
    assert {(lead["channel"], lead["campaign"], lead["country"] is not None) for lead in leads} == {("event", "hannover26", True)}
    if text is GERMAN:
        [error] = (await client.get(f"/v1/imports/{job.json()['id']}/errors")).json()["items"]
        assert (error["line"], error["field"]) == (4, "country")
        assert leads[0]["attributes"] == {"Interesse": "Pumpen", "Bemerkung": 'sagte: "bald"'}
        found = (await client.get(f"/v1/leads/{leads[0]['id']}/duplicates")).json()
        assert found["items"] == []
    report = (
        await client.get("/v1/campaign-report", params={"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"})
    ).json()
    assert [(row["campaign"], row["leads"]) for row in report] == [("hannover26", counts[0])]
