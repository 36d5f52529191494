"""Every column of every table is named as personal or not, and a person can be forgotten."""

import httpx
from ltc_chassis.db import Database
from ltc_chassis.personal import unnamed

from delivery_svc.store.personal import TABLES
from delivery_svc.tests.desk import Desk
from delivery_svc.tests.test_inbound_mails import letter, send

HOW = """
Every column says in delivery_svc/store/personal.py whether it is about a person, so that an erasure finds it:
  plain     says nothing about a person (ids, codes, times, amounts, configuration)
  staff     about the company's own people (who wrote it, assignee)
  personal  about a person, each with its treatment: EMPTY, replace("'(erased)'"), keep("why the law wants it kept")
  rows      how a person's rows are found; left out where the table is nobody's (configuration)
An example stands in ltc_chassis/personal.py.
"""


async def test_every_column_of_every_table_is_named_as_personal_or_not(db: Database) -> None:
    async with db.connection() as conn:
        wrong = await unnamed(conn, TABLES)
    assert not wrong, HOW + "\n".join(wrong)


async def test_nothing_of_a_person_is_left_in_tickets_and_nothing_of_anybody_else_goes(
    desk: Desk, client: httpx.AsyncClient, db: Database
) -> None:
    mail = letter("SECRET words", **{"from": "SECRET <Eva.SECRET@nordwind.example>", "message_id": "<SECRET@nordwind.example>"})
    mail.replace_header("Subject", "SECRET subject")
    mail.add_attachment(b"SECRET", maintype="image", subtype="png", filename="SECRET.png")
    taken = await send(client, mail)
    ticket = {"id": taken["ticket_id"]}
    key = {"Idempotency-Key": "k1"}
    await client.post(f"/v1/tickets/{ticket['id']}/comments", json={"text": "Dear SECRET"}, headers=key)
    other = await desk.open(text="of somebody else")
    body = {"email": "eva.secret@nordwind.example"}
    done = await desk.call("POST", "/v1/ticket-erasures", body)
    assert done["tickets"] == ["T-2026-000001"]
    assert {"ticket", "ticket_comment", "ticket_attachment", "inbound_mail", "mail"} <= set(done["rows"])
    async with db.connection() as conn:
        for table in TABLES:
            rows = await conn.fetch(f'SELECT t::text AS row FROM "{table}" AS t')  # noqa: S608 - our own names
            assert not [row["row"] for row in rows if "SECRET" in row["row"] or "534543524554" in row["row"]], table
    assert (await desk.read(ticket))["responded_at"] is not None
    assert [each["text"] for each in await desk.comments(other)] == ["of somebody else"]
    again = await desk.call("POST", "/v1/ticket-erasures", body)
    assert again["tickets"] == []
    # The same mail again is known, and brings nobody back.
    assert (await send(client, mail, 200))["ticket_id"] == ticket["id"]
