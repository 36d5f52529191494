"""The arithmetic of commission: invariants over random histories, and the golden cases."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from sales_svc.domain import commission, commission_plan
from sales_svc.domain.commission import Deal, InvoiceFacts, Position
from sales_svc.domain.commission_plan import Plan, Share, Tier

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Fact = Literal["allocated", "refunded", "credited"]


def plan(**changed: Any) -> Plan:
    given: dict[str, Any] = {
        "code": "standard",
        "version": 1,
        "name": "Standard",
        "rate": Decimal(5),
        "tiers": (),
        "period": None,
        "currency": None,
        "products": frozenset(),
        "pipelines": frozenset(),
        "splits": (),
        "valid_from": NOW,
    }
    return Plan(**{**given, **changed})


def deal(*nets: str, owner: str = "Ada", currency: str = "EUR", pipeline: str = "default", skus: Sequence[str] = ()) -> Deal:
    amounts = [Decimal(net) for net in nets or ("1000.00",)]
    names = skus or [f"SKU-{number}" for number in range(len(amounts))]
    return Deal(
        contract_id=new_id(),
        opportunity_id=new_id(),
        flow_id=new_id(),
        owner=owner,
        pipeline=pipeline,
        lines=tuple(zip(names, amounts, strict=True)),
        net=Money.of(sum(amounts, Decimal(0)), currency),
        signed_at=NOW,
    )


def opened(of: Deal, plans: Sequence[Plan], agreed: Sequence[Share] = ()) -> list[Position]:
    zero = Money.zero(of.net.currency)
    earned = commission.earn(of, plans, agreed, {})
    return [Position(new_id(), of.contract_id, of.opportunity_id, each, zero, zero) for each in earned]


@dataclass
class Books:
    """A deal's commission as a consumer keeps it: facts by cause, and the positions after each."""

    deal: Deal
    positions: list[Position]
    invoices: dict[UUID, InvoiceFacts] = field(default_factory=dict)
    causes: set[UUID] = field(default_factory=set)

    def book(self) -> None:
        for move in commission.settle(self.deal, self.positions, list(self.invoices.values())):
            assert move.amount.amount > 0
            assert Money.zero(self.deal.net.currency) <= move.after.vested <= move.after.accrued
            self.positions = [move.after if each.id == move.after.id else each for each in self.positions]

    def tell(self, step: "Step") -> bool:
        """False: too early, to be told again."""
        if step.cause in self.causes:
            return True
        if step.kind == "cancelled":
            self.deal = replace(self.deal, cancelled=True)
        elif step.kind == "invoiced":
            self.invoices[step.invoice_id] = InvoiceFacts(step.invoice_id, step.net, step.gross)
        else:
            known = self.invoices.get(step.invoice_id)
            if known is None:
                return False
            changed: dict[str, Any] = {
                "allocated": {"allocated": known.allocated + step.gross},
                "refunded": {"refunded": known.refunded + step.gross},
                "credited": {"credited_gross": known.credited_gross + step.gross, "credited_net": known.credited_net + step.net},
            }[step.kind]
            self.invoices[step.invoice_id] = replace(known, **changed)
        self.causes.add(step.cause)
        self.book()
        return True

    def state(self) -> list[tuple[str, str, Money, Money]]:
        return sorted((each.earning.plan, each.earning.rep, each.accrued, each.vested) for each in self.positions)


@dataclass(frozen=True)
class Step:
    cause: UUID
    kind: Literal["invoiced", "allocated", "refunded", "credited", "cancelled"]
    invoice_id: UUID
    net: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)


def cash_net(invoices: Sequence[InvoiceFacts]) -> Fraction:
    """Collected, net of tax, told apart from the code under test: what each invoice kept, at the ratio of what it still claims."""
    total = Fraction(0)
    for each in invoices:
        claimed_net, claimed_gross = each.net - each.credited_net, each.gross - each.credited_gross
        kept = min(each.allocated - each.refunded, claimed_gross)
        if kept > 0 and claimed_net > 0:
            total += Fraction(kept) * Fraction(claimed_net) / Fraction(claimed_gross)
    return total


@st.composite
def histories(draw: st.DrawFn) -> tuple[Deal, list[Plan], list[Share], list[Step]]:
    """A deal under random plans, and every event of its invoices, with duplicates."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    cent = Decimal(1).scaleb(-places)

    def amount(low: int, high: int) -> Decimal:
        return draw(st.integers(low, high)) * cent

    nets = [amount(1, 2_000_000) for _ in range(draw(st.integers(1, 3)))]
    made = deal(*(str(net) for net in nets), currency=currency, skus=["A", "B", "C"][: len(nets)])
    rates = st.decimals(0, 30, places=2)
    tiers = draw(st.sampled_from([(), (Tier(Decimal(1000), Decimal(8)), Tier(Decimal(5000), Decimal(11)))]))
    main = plan(rate=draw(rates), tiers=tiers, period="quarter" if tiers else None, currency=currency if tiers else None)
    plans = [main, *([plan(code="product", rate=draw(rates), products=frozenset("B"))] if draw(st.booleans()) else [])]
    cut = draw(st.integers(1, 99))
    agreed = draw(st.sampled_from([[], [Share(None, Decimal(cut)), Share("Ben", Decimal(100 - cut))]]))
    steps: list[Step] = []
    tax = draw(st.sampled_from([Decimal(0), Decimal("0.19"), Decimal("0.22")]))
    left = made.net.amount
    for _ in range(draw(st.integers(1, 3))):
        net = min(left, amount(0, int(made.net.amount / cent)))
        gross = net + (net * tax).quantize(cent)
        left -= net
        invoice = new_id()
        steps.append(Step(invoice, "invoiced", invoice, net, gross))
        open_, units = gross, int(gross / cent)
        for _ in range(draw(st.integers(0, 3))):
            part = min(open_, draw(st.integers(0, units)) * cent)
            if part:
                steps.append(Step(new_id(), "allocated", invoice, gross=part))
                open_ -= part
        credited_net = credited_gross = Decimal(0)
        for _ in range(draw(st.integers(0, 2))):
            part = min(net - credited_net, draw(st.integers(0, int(net / cent))) * cent)
            credited_net += part
            # The last credit absorbs the residual of tax, so that a whole credit is exactly the invoice.
            whole = (
                gross - credited_gross if credited_net == net else min(gross - credited_gross, part + (part * tax).quantize(cent))
            )
            credited_gross += whole
            if whole:
                steps.append(Step(new_id(), "credited", invoice, part, whole))
        back = min(gross - open_, draw(st.integers(0, units)) * cent)
        if back:
            steps.append(Step(new_id(), "refunded", invoice, gross=back))
    if draw(st.integers(0, 9)) == 0:
        steps.append(Step(new_id(), "cancelled", new_id()))
    return made, plans, agreed, [*steps, *draw(st.lists(st.sampled_from(steps), max_size=4))]


def play(made: Deal, positions: list[Position], steps: Sequence[Step], *, nominal: Fraction) -> Books:
    """Tell every step; those that come too early are told again later. The invariant holds after each."""
    books = Books(made, positions)
    books.book()
    waiting = list(steps)
    while waiting:
        early = []
        for step in waiting:
            if not books.tell(step):
                early.append(step)
            paid = sum((Fraction(each.vested.amount) for each in books.positions), Fraction(0))
            cash = min(cash_net(list(books.invoices.values())), Fraction(made.net.amount))
            assert paid <= nominal * cash / Fraction(made.net.amount), "vested is never above rate x collected"
        assert len(early) < len(waiting)
        waiting = early
    return books


@settings(max_examples=600, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_vested_never_exceeds_rate_times_collected_and_order_does_not_matter(
    history: tuple[Deal, list[Plan], list[Share], list[Step]], luck: random.Random
) -> None:
    made, plans, agreed, steps = history
    positions = opened(made, plans, agreed)
    exact = sum(
        (
            rule.earned(Decimal(0), part, made.net.currency)
            for rule, base in commission.bases(made, plans)
            for part in commission._split(base, [p for _, p in commission_plan.shares_of(rule, agreed, "Ada")], made.net.currency)
        ),
        Fraction(0),
    )
    assert sum(Fraction(each.earning.amount.amount) for each in positions) <= exact
    in_order = play(made, positions, steps, nominal=exact)
    shuffled = list(steps)
    luck.shuffle(shuffled)
    assert play(made, positions, shuffled, nominal=exact).state() == in_order.state()


@settings(max_examples=200, deadline=None)
@given(histories())
def test_once_everything_is_collected_everything_accrued_is_vested_to_the_cent(
    history: tuple[Deal, list[Plan], list[Share], list[Step]],
) -> None:
    made, plans, agreed, steps = history
    invoiced = [step for step in steps if step.kind == "invoiced"]
    paid = [Step(new_id(), "allocated", step.invoice_id, gross=step.gross) for step in invoiced]
    rest = new_id()
    missing = made.net.amount - sum(step.net for step in {step.cause: step for step in invoiced}.values())
    last = [Step(rest, "invoiced", rest, missing, missing), Step(new_id(), "allocated", rest, gross=missing)]
    books = play(made, opened(made, plans, agreed), [*invoiced, *paid, *last], nominal=Fraction(made.net.amount))
    for position in books.positions:
        assert position.vested == position.accrued == position.earning.amount


def test_parts_of_a_payment_add_up_and_the_last_one_absorbs_the_residual() -> None:
    made = deal("278.66")
    books = Books(made, opened(made, [plan(rate=Decimal(5))]))
    books.book()
    assert books.positions[0].accrued == Money.of("13.93", "EUR")
    invoice = new_id()
    books.tell(Step(invoice, "invoiced", invoice, Decimal("278.66"), Decimal("339.97")))
    vested = []
    for part in ("113.32", "113.32", "113.33"):
        before = books.positions[0].vested
        books.tell(Step(new_id(), "allocated", invoice, gross=Decimal(part)))
        vested.append(str((books.positions[0].vested - before).amount))
    assert vested == ["4.64", "4.64", "4.65"]


def test_a_credit_and_the_refund_of_the_same_money_count_once() -> None:
    made = deal("1000.00")
    books = Books(made, opened(made, [plan(rate=Decimal(10))]))
    invoice = new_id()
    books.tell(Step(invoice, "invoiced", invoice, Decimal(1000), Decimal(1220)))
    books.tell(Step(new_id(), "allocated", invoice, gross=Decimal(1220)))
    books.tell(Step(new_id(), "credited", invoice, Decimal(100), Decimal(122)))
    assert books.positions[0].accrued == books.positions[0].vested == Money.of(90, "EUR")
    books.tell(Step(new_id(), "refunded", invoice, gross=Decimal(122)))
    assert books.positions[0].accrued == books.positions[0].vested == Money.of(90, "EUR")


def test_an_invoice_that_replaces_a_credited_one_gives_the_commission_back() -> None:
    made = deal("1000.00")
    books = Books(made, opened(made, [plan(rate=Decimal(10))]))
    wrong, right = new_id(), new_id()
    books.tell(Step(wrong, "invoiced", wrong, Decimal(1000), Decimal(1000)))
    books.tell(Step(new_id(), "credited", wrong, Decimal(1000), Decimal(1000)))
    assert books.positions[0].accrued.amount == 0
    books.tell(Step(right, "invoiced", right, Decimal(1000), Decimal(1000)))
    assert books.positions[0].accrued.amount == 100


def test_each_part_of_a_deal_earns_the_rate_of_the_tier_it_lies_in() -> None:
    tiered = plan(
        rate=Decimal(5),
        tiers=(Tier(Decimal(1000), Decimal(10)), Tier(Decimal(2000), Decimal(20))),
        period="quarter",
        currency="EUR",
    )
    [earning] = commission.earn(deal("2000.00"), [tiered], (), {("standard", "Ada"): Decimal(500)})
    assert earning.amount.amount == 25 + 100 + 100
    [elsewhere] = commission.earn(deal("2000", currency="JPY"), [tiered], (), {})
    assert elsewhere.amount.amount == 100


def test_a_line_earns_by_the_narrowest_plan_alone() -> None:
    services = plan(code="services", rate=Decimal(8), products=frozenset({"CARE"}))
    enterprise = plan(code="enterprise", rate=Decimal(7), pipelines=frozenset({"enterprise"}))
    made = deal("100.00", "200.00", skus=["CARE", "PUMP"])
    earned = {each.plan: str(each.amount.amount) for each in commission.earn(made, [plan(), services, enterprise], (), {})}
    assert earned == {"services": "8.00", "standard": "10.00"}


def test_the_last_rep_of_a_split_absorbs_the_residual() -> None:
    thirds = [Share(None, Decimal("33.33")), Share("Ben", Decimal("33.33")), Share("Cleo", Decimal("33.34"))]
    earned = commission.earn(deal("100.00"), [plan(rate=Decimal("1.01"))], thirds, {})
    assert [(each.rep, str(each.base.amount), str(each.amount.amount)) for each in earned] == [
        *(("Ada", "33.33", "0.33"), ("Ben", "33.33", "0.33"), ("Cleo", "33.34", "0.35"))
    ]


def test_shares_add_up_to_a_hundred_per_cent() -> None:
    with pytest.raises(Invalid, match="100"):
        commission_plan.require_whole([Share(None, Decimal(60)), Share("Ben", Decimal("39.99"))], field="splits")
    with pytest.raises(Invalid, match="twice"):
        commission_plan.require_whole([Share("Ben", Decimal(50)), Share("Ben", Decimal(50))], field="splits")


@pytest.mark.parametrize(
    ("day", "period", "first", "after"),
    [
        (date(2026, 12, 31), "month", date(2026, 12, 1), date(2027, 1, 1)),
        (date(2026, 5, 1), "quarter", date(2026, 4, 1), date(2026, 7, 1)),
        (date(2026, 11, 30), "quarter", date(2026, 10, 1), date(2027, 1, 1)),
        (date(2026, 1, 1), "year", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_is_of_the_calendar(day: date, period: commission_plan.Period, first: date, after: date) -> None:
    assert commission_plan.period_of(day, period) == (first, after)
