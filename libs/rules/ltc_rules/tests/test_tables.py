"""Cells of files that a spreadsheet may open."""

import csv
import io

import pytest

from ltc_rules.tables import inert, read_table


@pytest.mark.parametrize("text", ["=1+2", "+49 30 123", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+2", "=cmd|' /C calc'!A0"])
def test_a_text_that_a_spreadsheet_would_run_is_written_as_text(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "a=b", " =1", "'=1", "张三", "1-2", "anna@rossi.example"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def test_an_inert_text_is_read_back_as_it_was_written() -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["name"], [inert('=HYPERLINK("http://x")')]])
    [record] = read_table(out.getvalue().encode()).records
    assert record.cells == ['\'=HYPERLINK("http://x")']
