"""Which step is due on which day (RULES 5), by the standard policy unless a test says otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from billing_svc.domain import dunning as rules
from billing_svc.domain import late_charge
from billing_svc.domain.dunning import OURS, Case, Exclusion, Policy, Step, Taken
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.invoice import issue as issued
from billing_svc.domain.late_charge import Booked
from billing_svc.domain.occasion import of_delivery
from billing_svc.tests.builders import NOW, completed

DUE = date(2026, 1, 31)


def an_invoice(**changed: object) -> Invoice:
    """6,527.81 EUR, issued on 2026-01-01, due on 2026-01-31."""
    made, _, _ = issued(of_delivery(completed()), invoice_id=new_id(), flow_id=new_id(), number="INV-2026-000001", now=NOW)
    return replace(made, **changed)  # type: ignore[arg-type] # a test names fields of the invoice


def on(days: int) -> date:
    return DUE + timedelta(days=days)


def walk(policy: Policy, looks: Sequence[int], invoice: Invoice | None = None) -> list[tuple[str, int]]:
    """The steps taken when we look on these days from the due day, each with its day."""
    taken: list[Taken] = []
    for day in looks:
        case = Case(invoice=invoice or an_invoice(), taken=taken)
        step = rules.next_step(case, policy, on(day)).step
        if step is not None:
            taken.append(Taken(step.name, step.days, on(day)))
    return [(each.step, (each.taken_on - DUE).days) for each in taken]


def test_the_standard_steps_are_taken_on_their_days() -> None:
    assert walk(OURS, range(-30, 200)) == [
        *(("before", -3), ("friendly", 3), ("second", 7), ("formal", 14), ("final", 30), ("agency", 60)),
    ]


def test_after_a_long_stop_the_steps_come_at_their_pace_and_the_reminder_from_before_lapses() -> None:
    assert walk(OURS, range(20, 200)) == [("friendly", 20), ("second", 24), ("formal", 31), ("final", 47), ("agency", 77)]


def test_who_looks_sees_when_to_look_again() -> None:
    case = Case(invoice=an_invoice(), taken=())
    assert rules.next_step(case, OURS, on(-10)) == rules.Next(None, on(-3))
    assert rules.next_step(case, OURS, on(-3)).look_on == on(3)
    last = Case(invoice=an_invoice(), taken=[Taken("final", 30, on(30))])
    assert rules.next_step(last, OURS, on(60)) == rules.Next(OURS.steps[-1], None)


@pytest.mark.parametrize("changed", [{"disputed": True}, {"paid": Money.of("6527.81", "EUR")}])
def test_nothing_is_done_about_what_is_disputed_or_paid(changed: dict[str, object]) -> None:
    assert rules.next_step(Case(invoice=an_invoice(**changed), taken=()), OURS, on(40)) == rules.Next(None, None)


def test_a_promise_keeps_steps_waiting_until_the_day_after() -> None:
    case = Case(invoice=an_invoice(), taken=(), promised_on=on(10))
    assert rules.next_step(case, OURS, on(10)) == rules.Next(None, on(11))
    assert rules.next_step(replace(case, promised_on=on(10)), OURS, on(11)).step == OURS.steps[1]


def test_an_excluded_customer_is_left_alone_until_the_day_or_for_good() -> None:
    case = Case(invoice=an_invoice(), taken=(), exclusion=Exclusion(on(20)))
    assert rules.next_step(case, OURS, on(20)) == rules.Next(None, on(21))
    assert rules.next_step(case, OURS, on(21)).step is not None
    assert rules.next_step(replace(case, exclusion=Exclusion(None)), OURS, on(99)) == rules.Next(None, None)


def test_interest_is_for_the_days_since_the_due_day_half_up() -> None:
    # 6,527.81 x 9 % x 30 / 365 = 48.2879...
    assert rules.interest(Money.of("6527.81", "EUR"), DUE, on(30), Decimal(9)) == Money.of("48.29", "EUR")
    assert rules.interest(Money.of("6527.81", "EUR"), DUE, on(-3), Decimal(9)) == Money.zero("EUR")
    # 10,000 x 5 % x 73 / 365 = 100, without decimal places.
    assert rules.interest(Money.of(10000, "JPY"), DUE, on(73), Decimal(5)) == Money.of(100, "JPY")


def test_fees_of_earlier_letters_stay_claimed_as_far_as_they_are_open() -> None:
    invoice, eur = an_invoice(), partial(Money.of, currency="EUR")
    case = Case(invoice=invoice, taken=[Taken("formal", 14, on(14))])
    final = next(step for step in OURS.steps if step.name == "final")
    for open_, fee, claimed in (("5.00", "15.00", "6542.81"), ("2.00", "12.00", "6539.81"), ("0.00", "10.00", "6537.81")):
        booked = [Booked("cost", eur("5.00"), eur(open_))]
        beside = late_charge.beside(invoice, final, Decimal(0), booked, told_fees=Decimal(5), today=on(30))
        assert (beside.fee, beside.new_fee, beside.new_interest) == (eur(fee), eur("10.00"), eur("0.00"))
        notice, event = rules.take(
            *(case, OURS, final), notice_id=new_id(), today=on(30), fee=beside.fee, late=beside.interest, charges=[]
        )
        assert (notice.fee, notice.claimed) == (eur(fee), eur(claimed))
        assert event.model_dump()["hold_orders"] is True
    # What a letter claimed before fees were booked is booked with the next.
    assert late_charge.beside(invoice, final, Decimal(0), [], told_fees=Decimal(5), today=on(30)).new_fee == eur("15.00")


@given(days=st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True), percent=st.decimals(0, 20, places=2))
@settings(max_examples=60, deadline=None)
def test_interest_booked_in_steps_is_the_interest_of_all_days(days: list[int], percent: Decimal) -> None:
    invoice, step = an_invoice(), OURS.steps[1]
    booked: list[Booked] = []
    for day in sorted(days):
        beside = late_charge.beside(invoice, step, percent, booked, told_fees=Decimal(0), today=on(day))
        booked.append(Booked("interest", beside.new_interest, beside.new_interest))
    whole = rules.interest(invoice.open, DUE, on(max(days)), percent)
    assert Money.total((each.claimed for each in booked), "EUR") == beside.interest == whole


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step(name="a", days=3, kind="reminder"), Step(name="b", days=3, kind="formal")),
        (Step(name="a", days=7, kind="reminder"), Step(name="b", days=3, kind="formal")),
        (Step(name="a", days=3, kind="reminder"), Step(name="a", days=7, kind="formal")),
    ],
)
def test_steps_without_an_order_are_refused(steps: tuple[Step, ...]) -> None:
    with pytest.raises(Invalid):
        rules.check(steps, Decimal(0))


def test_a_step_that_a_policy_moved_to_a_later_day_is_not_taken_again() -> None:
    later = replace(OURS, steps=(Step(name="friendly", days=10, kind="reminder"), Step(name="last", days=20, kind="final")))
    case = Case(invoice=an_invoice(), taken=[Taken("friendly", 3, on(3))])
    assert rules.next_step(case, later, on(30)).step == later.steps[1]


@given(
    st.lists(st.integers(-30, 90), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.integers(-40, 200), min_size=1, max_size=60).map(sorted),
)
def test_whenever_we_look_each_step_comes_once_in_order_never_early_and_never_two_on_a_day(
    days: list[int], looks: list[int]
) -> None:
    policy = replace(OURS, steps=tuple(Step(name=f"s{day}", days=day, kind="reminder") for day in days))
    taken = walk(policy, looks)
    names = [name for name, _ in taken]
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=lambda name: int(name[1:]))
    assert all(day >= int(name[1:]) for name, day in taken)
    assert len({day for _, day in taken}) == len(taken)
