"""Every column of every table is named as personal or not."""

from ltc_chassis.db import Database
from ltc_chassis.personal import unnamed

from lead_svc.store.personal import TABLES

HOW = """
Every column says in lead_svc/store/personal.py whether it is about a person, so that an export shows it and an erasure finds it:
  plain     says nothing about a person (ids, codes, times, amounts, configuration)
  staff     about the company's own people (who wrote it, owner)
  personal  about the person of a lead, each with its treatment: EMPTY, replace("'(erased)'"), keep("why the law wants it kept")
  rows      how a person's rows are found, mostly "t.lead_id = ANY(:leads)"; left out where the table is nobody's (configuration)
  delete    why the whole row goes
An example stands in ltc_chassis/personal.py.
"""


async def test_every_column_of_every_table_is_named_as_personal_or_not(db: Database) -> None:
    async with db.connection() as conn:
        wrong = await unnamed(conn, TABLES)
    assert not wrong, HOW + "\n".join(wrong)
