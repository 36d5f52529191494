"""Banks' files, taken whole or not at all, once."""

import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import aclosing
from datetime import date
from decimal import Decimal

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_contracts.money import Money

from billing_svc.domain.bank_statement import BankEntry, BankItem, Begins, Told
from billing_svc.handlers.bank_files import CHUNK, _chunks, _Reading
from billing_svc.tests.bank import ACCOUNT, Ntry, Run, camt, camt_file, entries_of, mt940, send, statement
from billing_svc.tests.test_real_data import DATA

BANK = DATA.parent / "bank"
# File: statements, entries, and how many statements add up. Counted by grep, added up by awk, over the files; not by this reader.
ANSWERS = {
    "abnamro.mt940": (2, 10, 0),
    "asnb.mt940": (31, 8, 31),
    "camt053.v2.five.decimals.xml": (1, 1, 0),
    "camt053.v2.minimal.xml": (1, 1, 0),  # opened in EUR, closed in SEK
    "camt053.v2.multi.statement.xml": (2, 2, 2),
    "camt053.v4.xml": (1, 1, 0),
    "camt054.v2.xml": (1, 1, 1),
    "camt054.v4.xml": (1, 1, 1),
    "ing.mt940": (1, 7, 0),
    "sepa_snippet.mt940": (2, 11, 1),
    "with_binary_character.mt940": (2, 4, 2),
}


def content_of(name: str) -> bytes:
    return (BANK / name).read_bytes()


@pytest.mark.skipif(
    not BANK.exists(), reason="the real bank files are not here; LTC_DATA names the folder that has them in bank/"
)
async def test_real_files_give_the_answers_that_were_counted_by_hand(
    client: httpx.AsyncClient, run_timer: Run, db: Database
) -> None:
    for name, (statements, entries, good) in ANSWERS.items():
        found = await send(client, run_timer, content_of(name), name)
        told = found["statements"]
        assert (found["state"], len(told), sum(each["entries"] for each in told)) == ("done", statements, entries), name
        fine = [each for each in told if each["state"] == "taken"]
        assert len(fine) == good, (name, [each["reason"] for each in told])
        assert found["taken"] == sum(each["taken"] for each in fine)
        for each in told:
            assert (each["state"] == "refused") == (each["reason"] is not None)
    async with db.connection() as conn:
        sums = await conn.fetch("SELECT account, sum(amount) AS moved FROM bank_entry GROUP BY account")
        # ASN: from 444.29 to 501.23.
        assert {row["account"]: row["moved"] for row in sums}["NL81ASNB9999999999"] == Decimal("56.94")
        before = await conn.fetchval("SELECT count(*) FROM bank_entry")
    for name in ANSWERS:
        # The same content in other bytes: nothing is taken again.
        again = await send(client, run_timer, content_of(name) + b"\n", name)
        assert (again["taken"], {each["state"] for each in again["statements"]} <= {"known", "refused"}) == (0, True), name
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM bank_entry") == before


@pytest.mark.skipif(
    not BANK.exists(), reason="the real bank files are not here; LTC_DATA names the folder that has them in bank/"
)
@pytest.mark.parametrize(
    ("name", "line", "element"),
    [("camt053.v2.wrong.xml", 3, "BkToCstmrStmt"), ("sepa_snippet_broken.mt940", 6, ":25:")],
)
async def test_the_wrong_and_the_broken_real_file_are_refused_whole(
    client: httpx.AsyncClient, run_timer: Run, db: Database, name: str, line: int, element: str
) -> None:
    content = content_of(name)
    found = await send(client, run_timer, content, name)
    assert (found["state"], found["line"], found["element"], found["statements"]) == ("refused", line, element, [])
    assert found["reason"]
    shown = content.decode().splitlines()[line - 1]
    assert re.search(rf"<{element}>|^{element}", shown), shown
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM bank_entry") == 0


async def test_balances_that_do_not_meet_refuse_the_statement_whole_and_no_other(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    good, bad = statement(Ntry("10.00"), ref="A"), statement(Ntry("5.00"), Ntry("7.00"), ref="B", closing="11.00")
    found = await send(client, run_timer, camt_file(good, bad))
    assert [(each["reference"], each["state"], each["taken"]) for each in found["statements"]] == [
        ("A", "taken", 1),
        ("B", "refused", 0),
    ]
    assert "12.00 EUR" in found["statements"][1]["reason"]
    # The bank sends it again, repaired: what was refused is taken now.
    mended = await send(client, run_timer, camt_file(good, bad.replace("11.00", "12.00")))
    assert [(each["state"], each["taken"]) for each in mended["statements"]] == [("known", 0), ("taken", 2)]


async def test_the_same_file_again_is_the_same_file_and_a_longer_one_adds_what_is_new(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    # Two customers pay the same on the same day without a word: two bookings, not one twice.
    first = camt(Ntry("10.00"), Ntry("10.00"))
    one, two = await send(client, run_timer, first, "a.xml"), await send(client, run_timer, first, "b.xml")
    assert (one["id"], one["taken"]) == (two["id"], 2)
    longer = await send(client, run_timer, camt(Ntry("10.00"), Ntry("10.00"), Ntry("10.00")))
    assert (longer["entries"], longer["taken"]) == (3, 1)


@pytest.mark.parametrize("version", ["02", "04", "06", "08", "10", "13"])
async def test_every_version_of_camt_is_read(client: httpx.AsyncClient, run_timer: Run, version: str) -> None:
    content = camt(
        Ntry("12.50", "für Müller & Söhne".replace("&", "&amp;"), party="Ärzte", iban="de75 5121 0800 1245 1261 99"),
        version=version,
    )
    if version < "08":  # older ones have neither Pty nor Cd
        content = re.sub(rb"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>", content).replace(b"<Pty>", b"").replace(b"</Pty>", b"")
    found = await send(client, run_timer, content)
    assert found["state"] == "done", found
    [entry] = await entries_of(client, found)
    [item] = entry["items"]
    assert (item["text"], item["party"], item["party_account"]) == ("für Müller & Söhne", "Ärzte", "DE75512108001245126199")


async def test_a_batch_is_its_payments_where_they_add_up_and_waits_as_one_where_they_do_not(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    parts = [Ntry("10.00", "one"), Ntry("15.50", "two")]
    found = await send(client, run_timer, camt(Ntry("25.50", parts=parts), Ntry("99.00", parts=parts), Ntry("30.00", batch_of=3)))
    whole, odd, untold = await entries_of(client, found)
    assert [(item["amount"]["amount"], item["text"], item["detailed"]) for item in whole["items"]] == [
        ("10.00", "one", True),
        ("15.50", "two", True),
    ]
    assert [(item["amount"]["amount"], item["detailed"]) for item in odd["items"]] == [("99.00", False)]
    assert [(item["amount"]["amount"], item["detailed"]) for item in untold["items"]] == [("30.00", False)]


async def test_what_is_pending_is_left_out_and_charges_and_returns_are_told(client: httpx.AsyncClient, run_timer: Run) -> None:
    charged = Ntry("98.50", told='<Chrgs><Rcrd><Amt Ccy="EUR">1.50</Amt></Rcrd></Chrgs>')
    back = Ntry("20.00", credit=False, told="<RtrInf><Rsn><Cd>MD06</Cd></Rsn></RtrInf>", reversal=True)
    found = await send(client, run_timer, camt(charged, back, Ntry("7.00", status="PDNG")))
    assert (found["statements"][0]["pending"], found["taken"]) == (1, 2)
    one, two = await entries_of(client, found)
    assert one["items"][0]["charges"] == {"amount": "1.50", "currency": "EUR"}
    assert (two["amount"]["amount"], two["reversal"], two["items"][0]["return_reason"]) == ("-20.00", True, "MD06")


async def test_a_notification_and_the_statement_of_the_same_bookings_do_not_double(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    one, two = Ntry("10.00", end_to_end="E1"), Ntry("10.00", end_to_end="E2")
    batch = [Ntry("20.00", "INV-2026-000001"), Ntry("10.00", "x")]
    told = [one, two, Ntry("30.00", reference="R3", parts=batch)]
    first = await send(client, run_timer, camt(*told, kind="054"))
    # The statement tells them in another order, the batch as one sum, and a booking more.
    later = await send(
        client, run_timer, camt(two, Ntry("30.00", reference="R3", batch_of=2), one, Ntry("10.00", end_to_end="E4"))
    )
    assert (first["taken"], later["taken"]) == (3, 4)
    known = {entry["id"]: entry for entry in await entries_of(client, first)}
    pairs = [(entry["items"][0]["end_to_end_id"], known.get(entry["same_as"])) for entry in await entries_of(client, later)]
    assert [(mark, old and old["items"][0]["end_to_end_id"]) for mark, old in pairs] == [
        ("E2", "E2"),
        ("", ""),
        ("E1", "E1"),
        ("E4", None),
    ]
    states = [[item["state"] for item in entry["items"]] for entry in await entries_of(client, later)]
    assert states == [["known"], ["known"], ["known"], ["due"]]


async def test_a_batch_told_as_a_sum_is_replaced_by_its_payments_when_they_come(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    first = await send(client, run_timer, camt(Ntry("30.00", reference="R3", batch_of=2)))
    parts = [Ntry("20.00", "one"), Ntry("10.00", "two")]
    later = await send(client, run_timer, camt(Ntry("30.00", reference="R3", parts=parts), kind="054"))
    assert [item["state"] for entry in await entries_of(client, first) for item in entry["items"]] == ["known"]
    assert [item["state"] for entry in await entries_of(client, later) for item in entry["items"]] == ["due", "due"]


async def test_dialects_of_mt940_are_read(client: httpx.AsyncClient, run_timer: Run) -> None:
    german = "166?00GUTSCHRIFT?20EREF+E2E-1?21SVWZ+INV-2026-0?22" + "00001 Danke?31DE75512108001245126199?32Jürgen?33 Groß"
    dutch = "/TRTP/SEPA OVERBOEKING/IBAN/NL91ABNA0417164300/BIC/ABNANL2A/NAME/J. Jansen/REMI/INV-2026-000002/EREF/NOTPROVIDED"
    free = "GIRO NL91ABNA0417164300 FACTUUR"
    content = mt940(
        ("2601010101CR10,00NTRFNONREF//B1", german),
        ("260101C20,NTRFX", dutch),
        ("2601011231RD5,5NMSCNONREF", free),
        ("2601010101RC1,50NMSCNONREF", "undone"),
        closing="C260101EUR34,00",
    )
    found = await send(client, run_timer, content.replace("ü".encode(), b"\xfc").replace("ß".encode(), b"\xdf"), "x.sta")
    assert (found["state"], found["statements"][0]["account"], found["taken"]) == ("done", ACCOUNT, 4), found
    one, two, three, four = await entries_of(client, found)
    item = one["items"][0]
    assert (item["text"], item["party"], item["party_account"]) == (
        "INV-2026-000001 Danke",
        "Jürgen Groß",
        "DE75512108001245126199",
    )
    assert (item["end_to_end_id"], one["bank_reference"]) == ("E2E-1", "B1")
    item = two["items"][0]
    assert (item["party"], item["party_account"], item["end_to_end_id"]) == ("J. Jansen", "NL91ABNA0417164300", "")
    assert "INV-2026-000002" in item["text"]
    # A debit undone is money in; the entry was booked the day before its value.
    assert (three["amount"]["amount"], three["booked_on"], three["items"][0]["party_account"]) == (
        "5.50",
        "2025-12-31",
        "NL91ABNA0417164300",
    )
    assert (four["amount"]["amount"], four["reversal"]) == ("-1.50", True)


@pytest.mark.parametrize(
    ("content", "element"),
    [
        (b'<?xml version="1.0"?><!DOCTYPE D [<!ENTITY a "b">]><Document>&a;</Document>', "DOCTYPE"),
        (
            b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.052.001.08'/>",
            "Document urn:iso:std:iso:20022:tech:xsd:camt.052.001.08",
        ),
        (
            b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.14'/>",
            "Document urn:iso:std:iso:20022:tech:xsd:camt.053.001.14",
        ),
        (camt(Ntry("10.00"))[:-20], "XML"),
        (camt(Ntry("10.005")), "Amt"),
        (camt(Ntry("-10.00")), "Amt"),
        (camt(Ntry("10.00", day="2026-02-30")), "BookgDt"),
        (camt(Ntry("10.00")).replace(b"<Cd>CLBD</Cd>", b"<Cd>CLAV</Cd>"), "Bal"),
        (camt(Ntry("10.00")).replace(b"CRDT", b"CREDIT"), "CdtDbtInd"),
        (mt940(("2601010101C10,00NTRFX", "a"), closing="C260101EUR10,00")[:-30], ":62F:"),
        (mt940(("2601320101C10,00NTRFX", "a"), closing="C260101EUR10,00"), ":61:"),
        (mt940(("2601010101C10.00NTRFX", "a"), closing="C260101EUR10,00"), ":61:"),
        (b"hello", ":20:"),
    ],
)
async def test_what_breaks_its_format_is_refused_whole_with_the_place(
    client: httpx.AsyncClient, run_timer: Run, content: bytes, element: str
) -> None:
    found = await send(client, run_timer, content)
    assert (found["state"], found["element"], found["taken"]) == ("refused", element, 0), found
    assert found["line"] >= 1
    assert found["reason"]


async def test_archives_and_empty_files_are_not_even_kept(client: httpx.AsyncClient) -> None:
    for content in (gzip.compress(camt(Ntry("1.00"))), b"PK\x03\x04zip", b" \n"):
        reply = await client.post("/v1/bank-statements", files={"file": ("x", content)})
        assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:statement-unreadable")
        assert reply.json()["line"] == 1
    assert (await client.get("/v1/bank-statements")).json()["items"] == []


async def test_one_thread_reads_a_file_from_its_first_entry_to_its_last_and_lets_go_of_it() -> None:
    threads: list[int] = []

    def told() -> Iterator[Told]:
        try:
            amount, day = Money.of("1.00", "EUR"), date(2026, 1, 1)
            yield Begins(1, "camt.054", ACCOUNT, "N-1", "", None)
            for number in range(3 * CHUNK):
                threads.append(threading.get_ident())
                yield BankEntry(number, amount, True, day, day, (BankItem(amount),))
        finally:
            threads.append(threading.get_ident())

    async with aclosing(_chunks(_Reading(told()))) as chunks:
        assert [len(rows) async for rows in chunks] == [CHUNK, CHUNK, CHUNK]
    async with aclosing(_chunks(_Reading(told()))) as chunks:
        async for _ in chunks:
            break
    # The first file whole, of the second what was read when nobody wanted more; each let go by who read it.
    assert len(threads) == 3 * CHUNK + 1 + 2 * CHUNK + 1
    first, second = set(threads[: 3 * CHUNK + 1]), set(threads[3 * CHUNK + 1 :])
    assert len(first) == len(second) == 1
    assert threading.get_ident() not in first | second
