import asyncio
from typing import Any

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Contact

from sales_svc.consumers import consumers
from sales_svc.domain.account import MAX_DEPTH, require_no_cycle, site_domain, vat_key
from sales_svc.tests.builders import lead_qualified

Json = dict[str, Any]


async def account(client: httpx.AsyncClient, name: str = "Rossi SpA", **given: Any) -> Json:
    reply = await client.post("/v1/accounts", json={"name": name, "country": "IT", **given})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def deal(client: httpx.AsyncClient, company: str, **given: Any) -> Json:
    reply = await client.post("/v1/opportunities", json={"name": company, "company": company, "country": "IT", **given})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def test_an_account_is_made_read_and_changed_by_the_version_that_was_read(client: httpx.AsyncClient) -> None:
    made = await account(client, website="https://www.Rossi.example/it", vat_id="it 0123-456789", size=80, owner="Anna")
    assert (made["domain"], made["vat_id"], made["version"]) == ("rossi.example", "IT0123456789", 1)
    path = f"/v1/accounts/{made['id']}"
    shown = await client.get(path)
    assert (shown.json(), shown.headers["etag"]) == (made, '"1"')
    changed = await client.patch(path, json={"segment": "enterprise", "size": None, "version": 1})
    assert (changed.json()["segment"], changed.json()["size"], changed.json()["version"]) == ("enterprise", None, 2)
    stale = await client.patch(path, json={"segment": "small"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"], stale.json()["current_version"]) == (
        409,
        "urn:ltc:problem:version-conflict",
        2,
    )
    blind = await client.patch(path, json={"segment": "small"})
    assert (blind.status_code, blind.json()["field"]) == (400, "version")
    assert (await client.patch(path, json={"segment": "small"}, headers={"If-Match": '"2"'})).json()["version"] == 3
    history = (await client.get(f"{path}/changes")).json()["items"]
    assert [(each["version"], each["by"]) for each in history] == [(1, "test"), (2, "test"), (3, "test")]
    assert history[1]["changes"] == {"segment": [None, "enterprise"], "size": [80, None]}


async def test_of_two_changes_of_one_version_at_once_one_is_refused(client: httpx.AsyncClient) -> None:
    path = f"/v1/accounts/{(await account(client))['id']}"
    replies = await asyncio.gather(*(client.patch(path, json={"owner": who, "version": 1}) for who in ("A", "B", "C")))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]


async def test_one_company_is_one_account_by_name_and_country_or_vat_id(client: httpx.AsyncClient) -> None:
    known = await account(client, vat_id="IT0123456789")
    for given, field in (
        ({"name": "rossi  S.p.A.", "country": "IT"}, "name"),
        ({"name": "Other", "country": "DE", "vat_id": "IT-0123456789"}, "vat_id"),
    ):
        reply = await client.post("/v1/accounts", json=given)
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:account-exists")
        assert (reply.json()["field"], reply.json()["account_id"]) == (field, known["id"])
    abroad = await account(client, country="DE")
    renamed = await client.patch(f"/v1/accounts/{abroad['id']}", json={"country": "IT", "version": 1})
    assert renamed.json()["account_id"] == known["id"]
    # A name that is given up is free for others.
    await client.patch(f"/v1/accounts/{known['id']}", json={"name": "Rossi Group", "version": 1})
    assert (await client.patch(f"/v1/accounts/{abroad['id']}", json={"country": "IT", "version": 1})).status_code == 200


async def test_two_at_once_make_one_account(client: httpx.AsyncClient) -> None:
    replies = await asyncio.gather(*(client.post("/v1/accounts", json={"name": "Rossi", "country": "IT"}) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]


async def test_accounts_are_found_by_text_and_filters_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    names = ["Rossi Impianti", "Rossi Idraulica", "Bianchi 100%", "Verdi"]
    made = {name: await account(client, name, segment="b2b" if name != "Verdi" else "b2c") for name in names}
    for q, found in (
        ("rossi", {"Rossi Impianti", "Rossi Idraulica"}),
        ("rosi impanti", {"Rossi Impianti"}),
        ("100%", {"Bianchi 100%"}),
    ):
        items = (await client.get("/v1/accounts", params={"q": q})).json()["items"]
        assert found <= {item["name"] for item in items}, q
        assert "Verdi" not in {item["name"] for item in items}
    assert [a["name"] for a in (await client.get("/v1/accounts", params={"q": "%"})).json()["items"]] == ["Bianchi 100%"]
    first = (await client.get("/v1/accounts", params={"segment": "b2b", "limit": 2})).json()
    rest = (await client.get("/v1/accounts", params={"segment": "b2b", "limit": 2, "cursor": first["next"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == [made[name]["id"] for name in names[:3]]
    assert rest["next"] is None


async def test_bad_accounts_name_the_field(client: httpx.AsyncClient) -> None:
    for given, status, field in (
        ({"name": ""}, 422, None),
        ({"name": "x" * 201}, 422, None),
        ({"name": "A", "country": "Italy"}, 422, None),
        ({"name": "A", "vat_id": "--"}, 400, "vat_id"),
        ({"name": "A", "website": "not a site"}, 400, "website"),
        ({"name": "A", "parent_id": str(new_id())}, 400, "parent_id"),
        ({"name": "A\x00B"}, 400, None),
    ):
        reply = await client.post("/v1/accounts", json=given)
        assert (reply.status_code, reply.json().get("field")) == (status, field), given
    made = await account(client)
    assert (await client.patch(f"/v1/accounts/{made['id']}", json={"name": None, "version": 1})).json()["field"] == "name"
    assert (await client.get(f"/v1/accounts/{new_id()}")).status_code == 404


async def test_a_hierarchy_has_no_circles_also_when_two_try_at_once(client: httpx.AsyncClient) -> None:
    top = await account(client, "Top")
    middle = await account(client, "Middle", parent_id=top["id"])
    low = await account(client, "Low", parent_id=middle["id"])
    for below in (top, middle, low):
        reply = await client.patch(f"/v1/accounts/{top['id']}", json={"parent_id": below["id"], "version": 1})
        assert (reply.status_code, reply.json()["field"]) == (400, "parent_id")
    one, two = await account(client, "One"), await account(client, "Two")
    replies = await asyncio.gather(
        client.patch(f"/v1/accounts/{one['id']}", json={"parent_id": two["id"], "version": 1}),
        client.patch(f"/v1/accounts/{two['id']}", json={"parent_id": one["id"], "version": 1}),
    )
    assert sorted(reply.status_code for reply in replies) == [200, 400]
    children = (await client.get("/v1/accounts", params={"parent_id": top["id"]})).json()["items"]
    assert [child["id"] for child in children] == [middle["id"]]


def test_a_hierarchy_has_a_bottom() -> None:
    line = [new_id() for _ in range(MAX_DEPTH - 1)]
    require_no_cycle(new_id(), line, 1)
    with pytest.raises(Invalid):
        require_no_cycle(new_id(), line, 2)


async def test_open_and_won_value_rolls_up_per_currency(client: httpx.AsyncClient) -> None:
    top = await account(client, "Top")
    low = await account(client, "Low", parent_id=top["id"])
    for company, amount, currency in (("Top", "100.00", "EUR"), ("Low", "20.50", "EUR"), ("Low", "7", "JPY")):
        await deal(client, company, value={"amount": amount, "currency": currency})
    lost = await deal(client, "Low", value={"amount": "999.00", "currency": "EUR"})
    await client.post(f"/v1/opportunities/{lost['id']}/lose", json={"reason": "price"})
    shown = (await client.get(f"/v1/accounts/{top['id']}/rollup")).json()
    assert (shown["accounts_below"], shown["own"]["open"]) == (
        1,
        {"deals": 1, "value": [{"amount": "100.00", "currency": "EUR"}]},
    )
    assert shown["total"]["open"] == {
        "deals": 3,
        "value": [{"amount": "120.50", "currency": "EUR"}, {"amount": "7", "currency": "JPY"}],
    }
    assert (await client.get(f"/v1/accounts/{low['id']}/rollup")).json()["total"]["won"] == {"deals": 0, "value": []}


async def test_an_account_has_one_team(client: httpx.AsyncClient) -> None:
    made = await account(client)
    path = f"/v1/accounts/{made['id']}/team"
    members = [{"member": "Anna", "role": "sales"}, {"member": "Ben", "role": "support"}]
    assert (await client.put(path, json={"members": members, "version": 1})).json()["team"] == members
    assert (await client.put(path, json={"members": members[:1], "version": 1})).status_code == 409
    assert (await client.put(path, json={"members": members[:1] * 2, "version": 2})).json()["field"] == "members"
    assert [a["id"] for a in (await client.get("/v1/accounts", params={"member": "Ben"})).json()["items"]] == [made["id"]]
    assert (await client.put(path, json={"members": members[:1], "version": 2})).json()["team"] == members[:1]


async def test_contacts_belong_to_an_account_and_one_of_them_is_primary(client: httpx.AsyncClient) -> None:
    made = await account(client)
    path = f"/v1/accounts/{made['id']}/contacts"
    people = [
        (
            await client.post(path, json={"name": name, "email": f"{name}@rossi.example", "role": "buyer", "is_primary": True})
        ).json()
        for name in ("Anna", "Ben")
    ]
    assert [(p["name"], p["is_primary"]) for p in (await client.get(path)).json()["items"]] == [("Anna", False), ("Ben", True)]
    twice = await client.post(path, json={"name": "Other", "email": "ANNA@rossi.example"})
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:ltc:problem:contact-exists")
    assert (await client.post(path, json={"name": "Bad", "email": "nobody"})).json()["field"] == "email"
    anna = (await client.get(f"/v1/contacts/{people[0]['id']}")).json()
    changed = await client.patch(f"/v1/contacts/{anna['id']}", json={"is_primary": True, "phone": "+39 02 1", "version": 2})
    assert (changed.json()["is_primary"], changed.json()["version"]) == (True, 3)
    assert (
        await client.patch(f"/v1/contacts/{anna['id']}", json={"email": "ben@rossi.example", "version": 3})
    ).status_code == 409
    assert [p["name"] for p in (await client.get("/v1/contacts", params={"email": "Ben@Rossi.example"})).json()["items"]] == [
        "Ben"
    ]
    assert [p["name"] for p in (await client.get("/v1/contacts", params={"q": "ann"})).json()["items"]] == ["Anna"]
    alone = await client.post("/v1/contacts", json={"name": "Carla", "is_primary": True})
    assert (alone.status_code, alone.json()["field"]) == (400, "is_primary")
    # Who changed what is kept, personal values are not.
    history = (await client.get(f"/v1/contacts/{anna['id']}/changes")).json()["items"]
    assert [each["changes"] for each in history] == [{"created": True}, {"is_primary": True, "phone": True}]


async def test_of_primary_contacts_made_at_once_one_stays_primary(client: httpx.AsyncClient) -> None:
    path = f"/v1/accounts/{(await account(client))['id']}/contacts"
    replies = await asyncio.gather(*(client.post(path, json={"name": f"P{n}", "is_primary": True}) for n in range(5)))
    assert {reply.status_code for reply in replies} == {201}
    assert sum(person["is_primary"] for person in (await client.get(path)).json()["items"]) == 1


async def test_a_person_is_erased_and_the_deal_stays(client: httpx.AsyncClient, deliver: Deliver) -> None:
    flow_id = new_id()
    person = Contact(name="Anna Rossi", email="anna@rossi.example", phone="+39 02 1")
    await deliver(consumers, lead_qualified(contact=person), flow_id=flow_id)
    [opened] = (await client.get("/v1/opportunities", params={"flow_id": str(flow_id)})).json()["items"]
    contact = (await client.get(f"/v1/contacts/{opened['contact_id']}")).json()
    assert (contact["name"], contact["account_id"]) == ("Anna Rossi", opened["account_id"])
    erased = (await client.delete(f"/v1/contacts/{contact['id']}")).json()
    assert [erased[name] for name in ("name", "email", "phone", "role")] == ["erased", None, None, None]
    assert (await client.delete(f"/v1/contacts/{contact['id']}")).json() == erased
    assert (await client.patch(f"/v1/contacts/{contact['id']}", json={"name": "A", "version": 2})).status_code == 409
    assert (await client.get("/v1/contacts", params={"q": "anna"})).json()["items"] == []
    assert (await client.get(f"/v1/opportunities/{opened['id']}")).json()["contact_id"] == contact["id"]


async def test_a_lead_finds_its_account_by_name_or_web_site_and_its_contact_by_address(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    known = await account(client, "Rossi SpA", website="rossi.example")
    for mention in (
        {"company": "ROSSI S.p.A."},
        {"company": "Rossi Italia", "website": "http://www.rossi.example/jobs"},
        {"company": "Rossi Spa", "country": None},
    ):
        person = Contact(name="Anna", email="Anna@rossi.example")
        await deliver(consumers, lead_qualified(contact=person, **mention), flow_id=new_id())
    deals = (await client.get("/v1/opportunities")).json()["items"]
    assert {each["account_id"] for each in deals} == {known["id"]}
    assert len({each["contact_id"] for each in deals}) == 1
    await deliver(consumers, lead_qualified(company="Rossi Spa", country="DE", website="::"), flow_id=new_id())
    await deliver(consumers, lead_qualified(company=None, contact=Contact(name="Carla", email="no address")), flow_id=new_id())
    abroad, private = (await client.get("/v1/opportunities")).json()["items"][3:]
    assert abroad["account_id"] not in (None, known["id"])
    assert (private["account_id"], private["name"]) == (None, "Carla")


async def test_a_merge_moves_everything_and_leaves_a_signpost(client: httpx.AsyncClient) -> None:
    parent = await account(client, "Holding")
    stays = await account(client, "Rossi", industry="pumps")
    goes = await account(client, "Rossi Old", vat_id="IT0123456789", industry="water", parent_id=parent["id"], owner="Ben")
    child = await account(client, "Rossi Child", parent_id=goes["id"])
    for each, names in ((stays, ("anna", "ben")), (goes, ("anna", "carla"))):
        for name in names:
            body = {"name": name, "email": f"{name}@rossi.example", "is_primary": name in ("ben", "carla")}
            assert (await client.post(f"/v1/accounts/{each['id']}/contacts", json=body)).status_code == 201
        team = {"members": [{"member": "Ben", "role": each["name"]}], "version": 1}
        await client.put(f"/v1/accounts/{each['id']}/team", json=team)
    moved = await deal(client, "Rossi Old")
    path = f"/v1/accounts/{stays['id']}/merge"
    merged = await client.post(path, json={"account_id": goes["id"], "version": 2})
    assert merged.status_code == 200, merged.text
    body = merged.json()
    assert (body["industry"], body["vat_id"], body["owner"], body["parent_id"]) == ("pumps", "IT0123456789", "Ben", parent["id"])
    assert body["team"] == [{"member": "Ben", "role": "Rossi"}]
    people = (await client.get(f"/v1/accounts/{stays['id']}/contacts")).json()["items"]
    assert [(p["name"], p["is_primary"]) for p in people] == [("anna", False), ("ben", True), ("carla", False)]
    assert (await client.get(f"/v1/opportunities/{moved['id']}")).json()["account_id"] == stays["id"]
    assert (await client.get(f"/v1/accounts/{child['id']}")).json()["parent_id"] == stays["id"]
    signpost = await client.get(f"/v1/accounts/{goes['id']}")
    assert (signpost.status_code, signpost.headers["location"]) == (308, f"/v1/accounts/{stays['id']}")
    for refused in (
        await client.patch(f"/v1/accounts/{goes['id']}", json={"size": 1, "version": 3}),
        await client.post(f"/v1/accounts/{goes['id']}/contacts", json={"name": "Late"}),
        await client.post(path, json={"account_id": goes["id"], "version": 3}),
    ):
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:account-merged")
        assert refused.json()["account_id"] == stays["id"]
    # The old name leads to the right place from now on.
    assert (await deal(client, "rossi old"))["account_id"] == stays["id"]
    assert goes["id"] not in [a["id"] for a in (await client.get("/v1/accounts")).json()["items"]]


async def test_merging_a_parent_into_its_grandchild_keeps_a_tree(client: httpx.AsyncClient) -> None:
    top = await account(client, "Top")
    middle = await account(client, "Middle", parent_id=top["id"])
    low = await account(client, "Low", parent_id=middle["id"])
    merged = await client.post(f"/v1/accounts/{low['id']}/merge", json={"account_id": top["id"], "version": 1})
    assert merged.json()["parent_id"] is None
    assert (await client.get(f"/v1/accounts/{middle['id']}")).json()["parent_id"] == low["id"]
    itself = await client.post(f"/v1/accounts/{low['id']}/merge", json={"account_id": low["id"], "version": 2})
    assert (itself.status_code, itself.json()["field"]) == (400, "account_id")
    unknown = await client.post(f"/v1/accounts/{low['id']}/merge", json={"account_id": str(new_id()), "version": 2})
    assert unknown.status_code == 404


async def test_deals_opened_while_accounts_merge_end_on_the_account_that_stays(client: httpx.AsyncClient) -> None:
    stays, goes = await account(client, "Stays"), await account(client, "Goes")
    merging = client.post(f"/v1/accounts/{stays['id']}/merge", json={"account_id": goes["id"], "version": 1})
    opened = [deal(client, "Goes", name=f"Deal {number}") for number in range(6)]
    await asyncio.gather(*opened[:3], merging, *opened[3:])
    deals = (await client.get("/v1/opportunities")).json()["items"]
    assert {each["account_id"] for each in deals} == {stays["id"]}
    assert len(deals) == 6


async def test_likely_duplicates_are_listed_with_what_they_match_on(client: httpx.AsyncClient) -> None:
    made = await account(client, "Rossi Impianti Milano", website="rossi.example")
    alike = await account(client, "Rossi Impianti Milan")
    site = await account(client, "Something Else", website="www.rossi.example")
    await account(client, "Verdi")
    found = (await client.get(f"/v1/accounts/{made['id']}/duplicates")).json()
    assert [(each["account"]["id"], each["matched_on"]) for each in found] == [(alike["id"], ["name"]), (site["id"], ["domain"])]


async def test_merging_needs_a_scope_of_its_own(client: httpx.AsyncClient, keys: KeyPair) -> None:
    made = await account(client)
    headers = {"Authorization": f"Bearer {keys.token('accounts:write')}"}
    reply = await client.post(f"/v1/accounts/{made['id']}/merge", json={"account_id": made["id"]}, headers=headers)
    assert reply.status_code == 403


@pytest.mark.parametrize(
    ("text", "host"), [("HTTPS://WWW.Rossi.example:8443/x", "rossi.example"), ("münchen.example", "xn--mnchen-3ya.example")]
)
def test_a_web_site_is_known_by_its_host(text: str, host: str) -> None:
    assert site_domain(text) == host


@pytest.mark.parametrize(
    "text", ["", "rossi", "http://[", "a b.example", "javascript:alert(1)", "javascript://x.example/%0aalert(1)"]
)
def test_what_is_no_web_site_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        site_domain(text)


def test_a_vat_id_is_the_same_however_it_is_written() -> None:
    assert vat_key(" it-0123.456 789 ") == "IT0123456789"
