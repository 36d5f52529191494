"""A customer with one order, played at random: what is told of the order in any order and often twice, and what people do about it."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from billing_svc.consumers import consumers as billing_consumers
from billing_svc.tests.builders import came_back, completed, confirmed, handed_over, line, part, promised
from billing_svc.timers import TIMERS
from ltc_chassis.ids import new_id
from ltc_chassis.testing import FakeRecord, record_of
from ltc_chassis.timers import run_until_idle
from ltc_contracts.events import Event
from ltc_contracts.money import Money
from metrics_svc.consumers import consumers as metrics_consumers

from tests.histories.conftest import Suite

DUNNING = next(timer for timer in TIMERS if timer.name == "dunning")
Json = dict[str, Any]
Move = tuple[str, Json]
PRICES = ("348.35", "0.07", "12.30", "68.33", "1000.00")
RATES = ("22", "19", "7", "0")


def eur(amount: Decimal | str) -> Json:
    return {"amount": str(amount), "currency": "EUR"}


class Debtor:
    """One flow. `facts` are what was told of it by all sides; `invoices` and so on what billing-svc answers."""

    def __init__(self, suite: Suite, seed: int) -> None:
        self.suite, self.draw, self.flow = suite, Random(seed), new_id()
        self.facts: list[FakeRecord] = []
        self.invoices: list[Json] = []
        self.payments: dict[str, Json] = {}
        self.waiting: dict[str, list[str]] = {"refunds": [], "disputes": [], "write-offs": []}
        self.answers: Counter[str] = Counter()
        self.names = 0
        self.news = self._news()

    def _news(self) -> list[Event]:
        """An order that is handed over in two parts, of which some may come back, as delivery-svc and order-svc tell it."""
        draw = self.draw
        lines = [line(draw.choice(PRICES), "6", draw.choice(("0", "4")), draw.choice(RATES)) for _ in range(draw.randint(1, 3))]
        invoicing = draw.choice(("on_delivery", "on_delivery", "on_confirmation"))
        same: Json = {"order_id": new_id(), "delivery_id": new_id()}
        first = [draw.randint(1, 5) for _ in lines]
        halves = (
            [part(each, str(many)) for each, many in zip(lines, first, strict=True)],
            [part(each, str(6 - many), str(many)) for each, many in zip(lines, first, strict=True)],
        )
        nothing = Money.zero("EUR")
        net = Money.total((each.net for each in lines), "EUR")
        news: list[Event] = [
            confirmed(*lines, order_id=same["order_id"], invoicing=invoicing),
            promised(**same),
            *(handed_over(*each, **same, invoicing=invoicing, number=place) for place, each in enumerate(halves, 1)),
            completed(*lines, **same, parts_told=True, handovers=2, handed=net, short=nothing, beyond=nothing, changes=0),
        ]
        if draw.random() < 0.4:
            back = (lines[0], str(draw.randint(1, 6)), "6")
            news.append(came_back(same["order_id"], back, delivery_id=same["delivery_id"], invoicing=invoicing))
        draw.shuffle(news)
        return news

    async def live(self, moves: int) -> None:
        """A history to its end, when everything of the order is told."""
        for _ in range(moves):
            self.suite.clock.advance(hours=self.draw.randint(0, 72))
            if self.draw.random() < 0.1:
                await run_until_idle(self.suite.billing.runtime, DUNNING)
            if self.news and (not self.invoices or self.draw.random() < 0.3):
                await self._hear(self.news.pop())
            else:
                await self._act()
        while self.news:
            await self._hear(self.news.pop())
        await self.suite.billing.deliver.retry(billing_consumers)
        self.facts += await self.suite.billing.take_told()
        await self._tell_metrics()

    async def _hear(self, event: Event) -> None:
        """A fact reaches billing-svc, sometimes twice."""
        record = record_of(event, flow_id=self.flow, occurred_at=self.suite.clock.now())
        self.facts.append(record)
        for _ in range(self.draw.choice((1, 1, 2))):
            await self.suite.billing.deliver.records(billing_consumers, [record])
        await self._look()

    async def _look(self) -> None:
        reply = await self.suite.billing.client.get("/v1/invoices", params={"flow_id": str(self.flow)})
        self.invoices = reply.json()["items"]

    async def _act(self) -> None:
        if not self.invoices:
            return
        name, make = self.draw.choice(MOVES)
        made = make(self, self.draw.choice(self.invoices))
        if made is None:
            return
        path, body = made
        reply = await self.suite.billing.client.post(f"/v1/{path}", json=body)
        assert reply.status_code in {200, 201, 204, 400, 409}, (path, body, reply.text)
        if not reply.is_success:
            return
        self.answers[name] += 1
        answer: Json = reply.json() if reply.content else {}
        if name in {"pay", "allocate", "unapply"}:
            self.payments[answer["id"]] = answer
        # What waits for a decision may be decided; a second decision is refused.
        if name in {"refund", "dispute", "write_off"} and answer["state"] in {"requested", "open"}:
            self.waiting[f"{name.replace('_', '-')}s"].append(answer["id"])
        await self._look()

    async def _tell_metrics(self) -> None:
        """In any order, in batches, some of it twice."""
        records = [*self.facts, *self.draw.sample(self.facts, k=len(self.facts) // 4)]
        self.draw.shuffle(records)
        cut = self.draw.randint(0, len(records))
        for batch in (records[:cut], records[cut:]):
            await self.suite.metrics.deliver.records(metrics_consumers, batch)

    def payer(self, invoice: Json) -> Json | None:
        """A payment that settles something of it, as far as is remembered; else any."""
        settles = [each for each in self.payments.values() if any(a["invoice_id"] == invoice["id"] for a in each["allocations"])]
        chosen = settles or list(self.payments.values())
        return self.draw.choice(chosen) if chosen else None

    def told(self, topic: str) -> list[Json]:
        """What was said of one kind."""
        return [json.loads(record.value or b"") for record in self.facts if record.topic == topic]

    def name(self) -> str:
        """A reference that nobody used."""
        self.names += 1
        return f"{self.flow}-{self.names}"

    def some(self, of: Json) -> Json:
        """Of an amount: a part, all of it, all but some cents, or more."""
        whole = Decimal(of["amount"])
        part = self.draw.choice((whole / 3, whole, whole, whole - Decimal("0.03"), whole + 1))
        return eur(max(Decimal("0.01"), part.quantize(Decimal("0.01"))))


def pay(debtor: Debtor, invoice: Json) -> Move | None:
    """Seldom what is paid already."""
    if invoice["payment_state"] == "paid" and debtor.draw.random() < 0.7:
        return None
    reference = debtor.draw.choice((invoice["number"], invoice["number"], "thanks"))
    return "payments", {"amount": debtor.some(invoice["open"]), "method": "bank_transfer", "reference": reference}


def allocate(debtor: Debtor, invoice: Json) -> Move | None:
    left = [each["id"] for each in debtor.payments.values() if each["unapplied"]["amount"] != "0.00"]
    if not left:
        return None
    return f"payments/{debtor.draw.choice(left)}/allocations", {"allocations": [{"invoice_id": invoice["id"]}]}


def unapply(debtor: Debtor, invoice: Json) -> Move | None:
    payment = debtor.payer(invoice)
    if payment is None:
        return None
    body: Json = {"invoice_id": invoice["id"], "reason": "x"}
    amount = debtor.draw.choice((None, debtor.some(invoice["paid"])))
    return f"payments/{payment['id']}/unapply", body | ({} if amount is None else {"amount": amount})


def refund(debtor: Debtor, invoice: Json) -> Move | None:
    payment = debtor.payer(invoice)
    if payment is None:
        return None
    settling = debtor.draw.random() < 0.6
    body: Json = {"amount": debtor.some(payment["allocated" if settling else "unapplied"]), "reason": "x"}
    of_invoice = {"invoice_id": invoice["id"]} if settling else {}
    done = debtor.draw.random() < 0.4
    path = f"payments/{payment['id']}/refunds"
    return (f"{path}/done", body | of_invoice | {"reference": debtor.name()}) if done else (path, body | of_invoice)


def execute(debtor: Debtor, _: Json) -> Move | None:
    asked = debtor.waiting["refunds"]
    return (f"refunds/{debtor.draw.choice(asked)}/execute", {"reference": debtor.name()}) if asked else None


def withdraw(debtor: Debtor, _: Json) -> Move | None:
    asked = debtor.waiting["refunds"]
    return (f"refunds/{debtor.draw.choice(asked)}/withdraw", {}) if asked else None


def credit(debtor: Debtor, invoice: Json) -> Move:
    body: Json = {"reason": "x"}
    if debtor.draw.random() < 0.7:
        one = debtor.draw.choice(invoice["lines"])
        body["lines"] = [{"line_id": one["line_id"], "net": debtor.some(one["net"])["amount"]}]
    return f"invoices/{invoice['id']}/credits", body


def write_off(debtor: Debtor, invoice: Json) -> Move:
    body: Json = {"reason": "x"}
    return f"invoices/{invoice['id']}/write-offs", body | (
        {"amount": debtor.some(invoice["open"])} if debtor.draw.random() < 0.7 else {}
    )


def void(_: Debtor, invoice: Json) -> Move:
    return f"invoices/{invoice['id']}/void", {"reason": "x"}


def send(_: Debtor, invoice: Json) -> Move:
    return f"invoices/{invoice['id']}/sendings", {"channel": "post"}


def dispute(debtor: Debtor, invoice: Json) -> Move:
    body: Json = {"category": "price", "reason": "x"}
    return f"invoices/{invoice['id']}/disputes", body | (
        {"amount": debtor.some(invoice["open"])} if debtor.draw.random() < 0.5 else {}
    )


def uphold(debtor: Debtor, _: Json) -> Move | None:
    opened = debtor.waiting["disputes"]
    return (f"disputes/{debtor.draw.choice(opened)}/uphold", {"resolution": "x"}) if opened else None


def reject(debtor: Debtor, _: Json) -> Move | None:
    opened = debtor.waiting["disputes"]
    return (f"disputes/{debtor.draw.choice(opened)}/reject", {"resolution": "x"}) if opened else None


_WEIGHTS: dict[Callable[[Debtor, Json], Move | None], int] = {
    pay: 5,
    allocate: 4,
    unapply: 3,
    refund: 4,
    execute: 3,
    withdraw: 2,
    credit: 3,
    write_off: 3,
    void: 1,
    send: 1,
    dispute: 2,
    uphold: 2,
    reject: 2,
}
MOVES = [(make.__name__, make) for make, weight in _WEIGHTS.items() for _ in range(weight)]
