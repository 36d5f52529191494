"""The books at the end of the demo, as metrics-svc and billing-svc tell them."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from ltc_cli.company.lines_of_business import Sold
from ltc_cli.company.suite import Json, Suite

_EVERY_STAGE = {
    "lead",
    "qualified",
    "opportunity",
    "quoted",
    "accepted",
    "contracted",
    "won",
    "ordered",
    "delivered",
    "invoiced",
    "paid",
}


@dataclass(frozen=True, slots=True)
class Books:
    """Counts of flows per stage, amounts in EUR, and the two balances that must be 0.00."""

    funnel: dict[str, int]
    amounts: dict[str, Decimal]
    rates: dict[str, str]
    residual: Decimal
    trial_balance: Decimal

    @property
    def balanced(self) -> bool:
        return self.residual == 0 and self.trial_balance == 0

    def agrees_with(self, endings: Counter[str]) -> bool:
        """Whether everything that was played has arrived, and what is not paid has fallen overdue."""
        paid = sum(count for ending, count in endings.items() if ending.startswith("paid"))
        arrived = all(
            self.funnel.get(stage, 0) >= count
            for stage, count in (("paid", paid), ("lost", endings["lost"]), ("cancelled", endings["cancelled"]))
        )
        return arrived and self.amounts["overdue_amount"] == self.amounts["outstanding"]


async def read_books(suite: Suite) -> Books:
    """Ask metrics-svc, and billing-svc for its ledger."""
    answers: dict[str, list[Json]] = {}
    for name in ("funnel", "invoiced", "collected", "outstanding", "overdue_amount", "conservation_residual"):
        answers[name] = (await suite.get("metrics", f"/v1/kpis/{name}"))["rows"]
    rates = {}
    for name in ("first_response_in_time", "win_rate", "on_time_delivery", "on_time_collection"):
        rows = (await suite.get("metrics", f"/v1/kpis/{name}"))["rows"]
        rates[name] = rows[0]["value"] if rows and rows[0]["value"] is not None else "n/a"
    amounts = {
        name: sum((Decimal(row["value"]) for row in rows), Decimal("0.00")) for name, rows in answers.items() if name != "funnel"
    }
    trial = await suite.get("billing", "/v1/ledger/trial-balance")
    return Books(
        funnel={row["name"]: int(row["value"]) for row in answers["funnel"]},
        residual=amounts.pop("conservation_residual"),
        amounts=amounts,
        rates=rates,
        trial_balance=sum((abs(Decimal(total["balance"])) for total in trial["totals"]), Decimal("0.00")),
    )


def show_books(console: Console, books: Books, endings: Counter[str], *, days: int) -> None:
    """The summary table."""
    table = Table(title=f"The company after {days} business days", show_header=False, title_justify="left")
    stages = ("lead", "qualified", "won", "lost", "ordered", "cancelled", "delivered", "invoiced", "paid")
    names = {"lead": "leads", "ordered": "orders", "paid": "invoices paid", "invoiced": "invoices"}
    for stage in stages:
        table.add_row(names.get(stage, stage), f"{books.funnel.get(stage, 0):,}")
    table.add_section()
    for name, title in (
        ("invoiced", "invoiced"),
        ("collected", "collected"),
        ("outstanding", "open"),
        ("overdue_amount", "overdue"),
    ):
        table.add_row(title, f"{books.amounts[name]:,.2f} EUR")
    table.add_section()
    for name, value in books.rates.items():
        table.add_row(name.replace("_", " "), f"{Decimal(value):.1f} %" if value != "n/a" else value)
    table.add_section()
    table.add_row("conservation residual", f"{books.residual:.2f}")
    table.add_row("trial balance", f"{books.trial_balance:.2f}")
    console.print(table)
    console.print("endings: " + ", ".join(f"{ending} {count}" for ending, count in sorted(endings.items())))


async def show_front_office(console: Console, suite: Suite) -> bool:
    """What campaigns cost, and what reps earned; False when a rep earned more than cash allows, or nobody anything."""
    spend = (await suite.get("metrics", "/v1/kpis/marketing_spend", by="campaign"))["rows"]
    cac = (await suite.get("metrics", "/v1/kpis/cac", by="campaign"))["rows"]
    costs = {row["key"]: row["value"] for row in cac}
    table = Table("campaign", "spend", "per customer won", title="What campaigns cost", title_justify="left")
    for row in spend:
        each = f"{Decimal(costs[row['key']]):,.2f} EUR" if row["key"] in costs else "nobody yet"
        table.add_row(row["key"], f"{Decimal(row['value']):,.2f} EUR", each)
    console.print(table)
    accrued: dict[str, Decimal] = {}
    vested: dict[str, Decimal] = {}
    cursor: str | None = None
    while True:
        page = await suite.get("sales", "/v1/commissions", limit=500, cursor=cursor)
        for row in page["items"]:
            for sums, name in ((accrued, "accrued"), (vested, "vested")):
                sums[row["rep"]] = sums.get(row["rep"], Decimal(0)) + Decimal(row[name]["amount"])
        cursor = page["next"]
        if cursor is None:
            break
    table = Table("rep", "accrued by signatures", "earned by cash", title="Commission", title_justify="left")
    for rep in sorted(accrued):
        table.add_row(rep, f"{accrued[rep]:,.2f} EUR", f"{vested[rep]:,.2f} EUR")
    console.print(table)
    return bool(spend) and sum(vested.values()) > 0 and all(vested[rep] <= accrued[rep] for rep in accrued)


# What has no cause among the events was begun by somebody, or by a date that came.
_BEGUN_BY = {
    "invoice.overdue": "a due date",
    "lead.released": "a due date",
    **dict.fromkeys(("nurture.enrolled", "nurture.step_sent", "nurture.ended"), "a journey"),
}


async def show_journey(console: Console, suite: Suite) -> bool:
    """One flow that went all the way; False when there is none."""
    for row in (await suite.get("metrics", "/v1/flows", stage="paid", limit=50))["items"]:
        flow = await suite.flow(row["flow_id"])
        if {reached["stage"] for reached in flow["stages"]} >= _EVERY_STAGE:
            break
    else:
        console.print("[red]no flow reached every stage[/red]")
        return False
    table = Table(
        "business time", "service", "event", "number", "after its cause", "trace", title=f"The journey of flow {flow['flow_id']}"
    )
    for step in flow["journey"]:
        moment = datetime.fromisoformat(step["occurred_at"])
        hop = f"{step['hop_ms']:.0f} ms" if step["hop_ms"] is not None else _BEGUN_BY.get(step["topic"], "a person")
        table.add_row(f"{moment:%Y-%m-%d %H:%M}", step["service"], step["topic"], step["number"] or "", hop, step["trace_id"][:8])
    console.print(table)
    return True


async def show_lines_of_business(console: Console, suite: Suite, sold: Sold) -> bool:
    """How the other orders ended, and what happened to one that was made to order; False when a flow's residual is not zero."""
    if not sold.endings:
        return True
    table = Table("line of business", "way", "orders", title="Beside the deals", title_justify="left")
    for (line, way), count in sorted(sold.endings.items()):
        table.add_row(line, way, str(count))
    console.print(table)
    if sold.made_to_order is None:
        return False
    flow = await suite.flow(sold.made_to_order)
    steps = [step["topic"] for step in flow["journey"]]
    console.print(f"made to order, flow {flow['flow_id']}: {' > '.join(steps)}")
    return bool(flow["residual"] == "0.00")
