"""The registry of personal columns finds, shows and erases a person's rows, and says what it does not name."""

from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.personal import CHASSIS, EMPTY, Table, Who, erase, keep, lines, look, replace, unnamed

DIARY = Table(
    rows="t.lead_id = ANY(:leads)",
    plain="id lead_id",
    staff="by",
    personal={"text": replace("'(erased)'"), "email": EMPTY, "proof": keep("the law")},
)


async def _diary(db: Database) -> None:
    async with db.connection() as conn:
        await conn.execute(
            'CREATE TABLE diary (id uuid, lead_id uuid, "by" text, text text, email text, proof text);'
            "CREATE TABLE stranger (id uuid, note text)"
        )


async def test_a_column_or_table_that_is_not_named_is_told(db: Database) -> None:
    await _diary(db)
    async with db.connection() as conn:
        known = dict(CHASSIS)
        wrong = await unnamed(
            conn, {**known, "diary": Table(plain="id lead_id id gone", personal={"text": EMPTY}), "away": DIARY}
        )
    told = [line for line in wrong if line.split(":")[0].split(".")[0] in ("diary", "stranger", "away")]
    assert told == [
        "away: there is no such table",
        "diary.by: not named",
        "diary.email: not named",
        "diary.proof: not named",
        "diary.gone: there is no such column",
        "diary.id: named twice",
        "diary: it has personal columns, but `rows` does not say how a person's rows are found",
        "stranger: not named; its columns are id note",
    ]


async def test_a_person_is_found_shown_and_erased_and_nobody_else(db: Database) -> None:
    await _diary(db)
    anna, bert = new_id(), new_id()
    async with db.transaction() as tx:
        for person in (anna, bert):
            await tx.conn.execute("INSERT INTO diary VALUES ($1, $2, 'rep', 'likes tea', 'a@b.de', 'yes')", new_id(), person)
        tables, who = {"diary": DIARY}, Who(leads=[anna])
        [before] = await look(tx.conn, tables, who)
        [line] = await lines(tx.conn, "diary", DIARY, who, limit=10)
        assert (before.rows, line["text"], "by" in line) == (1, "likes tea", False)
        assert await erase(tx.conn, tables, who) == {"diary": 1}
        assert await erase(tx.conn, tables, who) == {}
        [after] = await look(tx.conn, tables, who)
        assert (after.rows, after.digest != before.digest) == (1, True)
        rows = await tx.conn.fetch("SELECT lead_id, text, email, proof FROM diary ORDER BY id")
    assert [tuple(row) for row in rows] == [(anna, "(erased)", None, "yes"), (bert, "likes tea", "a@b.de", "yes")]
