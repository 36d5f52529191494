"""What is logged of an error names no value that it went wrong with."""

import io
import json
import logging

import asyncpg
import pytest
from ltc_contracts.errors import Invalid
from pydantic import BaseModel

from ltc_chassis.db import Database
from ltc_chassis.telemetry import log_handler


class Shape(BaseModel):
    name: int


def _validated() -> None:
    Shape.model_validate({"name": "Zyxanna"})


def _refused() -> None:
    raise Invalid("Zyxanna is no name", field="name")


def _counted() -> None:
    int("Zyxanna")


def _chained() -> None:
    try:
        int("Zyxanna")
    except ValueError as error:
        raise KeyError("Zyxanna") from error


def _grouped() -> None:
    raise ExceptionGroup("Zyxanna", [ValueError("Zyxanna"), TypeError("a None was called")])


def _logged(error: Exception) -> str:
    out = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(log_handler("echo", out))
    logger.error("it failed", exc_info=error)
    return str(json.loads(out.getvalue())["exc_info"])


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (_validated, "ValidationError: name int_parsing"),
        (_refused, "Invalid invalid in name"),
        (_counted, "ValueError"),
        (_chained, "KeyError"),
        (_grouped, "TypeError: a None was called"),
    ],
)
def test_an_error_is_logged_with_its_place_and_kind_and_without_what_it_was_about(fails: object, told: str) -> None:
    assert callable(fails)
    with pytest.raises(Exception) as failed:
        fails()
    text = _logged(failed.value)
    assert "Zyxanna" not in text.replace('"Zyxanna', "")  # but for the source lines of this test
    assert told in text
    assert fails.__name__ in text  # type: ignore[attr-defined] # a function


async def test_a_row_that_the_database_refused_is_not_logged(db: Database) -> None:
    async with db.connection() as conn:
        await conn.execute("CREATE TABLE person (name text, age integer CONSTRAINT adult CHECK (age >= 18))")
        with pytest.raises(asyncpg.CheckViolationError) as failed:
            await conn.execute("INSERT INTO person VALUES ($1, 3)", "Zyxanna")
    assert "Zyxanna" in str(failed.value)  # the database quotes the row
    text = _logged(failed.value)
    assert "CheckViolationError 23514 person adult" in text
    assert "(Zyxanna" not in text
