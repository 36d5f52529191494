"""When what is open will be paid: explained by hand-computed figures, and measured on real receivables against the due day."""

import csv
import io
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import mean
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.money import Money

from billing_svc.domain.cash_forecast import OpenInvoice, behaviour, by_week, expect

DATA = Path(os.environ.get("LTC_DATA", Path(__file__).parents[5] / "shared" / "data")) / "invoices.csv"
SLOW, NEW = new_id(), new_id()
DUE = date(2026, 3, 2)  # a Monday
KNOWN = behaviour([*((SLOW, lateness) for lateness in (10, 12, 20)), *((new_id(), lateness) for lateness in (-4, -2, 0, 1))])


def test_a_payer_pays_as_they_did_and_one_who_is_hardly_known_as_all_do() -> None:
    # (3 x 12 + 2 x 1) / (3 + 2) = 7.6
    slow = expect(KNOWN, SLOW, DUE, DUE - timedelta(days=20))
    assert (slow.lateness, slow.day, slow.known, slow.payer_median, slow.all_median) == (8, date(2026, 3, 10), 3, 12, 1)
    new = expect(KNOWN, NEW, DUE, DUE - timedelta(days=20))
    assert (new.lateness, new.known, new.payer_median) == (1, 0, None)


def test_what_is_open_still_is_compared_with_what_took_longer() -> None:
    # Eleven days late: of the payer 12 and 20 are left, so (2 x 16 + 2 x 16) / 4.
    found = expect(KNOWN, SLOW, DUE, DUE + timedelta(days=11))
    assert (found.lateness, found.known, found.payer_median) == (16, 2, 16)
    # Later than anybody ever was: in a week.
    assert expect(KNOWN, SLOW, DUE, DUE + timedelta(days=90)).day == DUE + timedelta(days=97)
    assert expect(behaviour([]), SLOW, DUE, DUE - timedelta(days=5)).day == DUE


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-30, 60)), max_size=30),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-40, 80), st.integers(1, 10**6)), max_size=20),
)
def test_all_that_is_open_is_expected_once_and_after_today(paid: list[tuple[int, int]], owed: list[tuple[int, int, int]]) -> None:
    payers = [UUID(int=number) for number in range(4)]
    known = behaviour([(payers[payer], lateness) for payer, lateness in paid])
    today = date(2026, 3, 2)
    invoices = [
        OpenInvoice(new_id(), "INV-1", payers[payer], today + timedelta(days=days), Money.of(cents, "JPY"))
        for payer, days, cents in owed
    ]
    expected = [(invoice, expect(known, invoice.customer_id, invoice.due_on, today)) for invoice in invoices]
    assert all(expectation.day > today for _, expectation in expected)
    weeks = by_week(expected, today)
    total = Money.total((invoice.open for invoice in invoices), "JPY")
    assert Money.total((week.expected for week in weeks), "JPY") == Money.total((week.by_due for week in weeks), "JPY") == total
    assert sum(week.invoices for week in weeks) == len(invoices)
    assert all(week.starts_on.weekday() == 0 for week in weeks)


def _day(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a day has no zone


@pytest.mark.skipif(not DATA.exists(), reason="the real data set is not here; LTC_DATA names its folder")
@pytest.mark.parametrize("until", [date(2012, 7, 1), date(2013, 1, 1), date(2013, 7, 1)])
def test_on_real_receivables_the_forecast_errs_less_than_the_due_day(until: date) -> None:
    """What was settled before a day is known; what is issued from then on is forecast on its day of issue."""
    rows = [
        (id_elsewhere("customer", row["customerID"]), _day(row["InvoiceDate"]), _day(row["DueDate"]), _day(row["SettledDate"]))
        for row in csv.DictReader(io.StringIO(DATA.read_text(encoding="utf-8-sig")))
    ]
    known = behaviour((payer, (settled - due).days) for payer, _, due, settled in rows if settled < until)
    tested = [row for row in rows if row[1] >= until]
    ours = mean(abs((expect(known, payer, due, issued).day - settled).days) for payer, issued, due, settled in tested)
    naive = mean(abs((due - settled).days) for _, _, due, settled in tested)
    print(f"{until}: {len(tested)} invoices, mean absolute error {ours:.2f} days, of the due day {naive:.2f} days")
    assert ours < 0.75 * naive
