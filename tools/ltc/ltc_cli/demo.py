"""`ltc demo`: a company lives for some weeks at a day per second, and the books are shown at the end."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ltc_chassis.clock import parse_clock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ltc_cli.company import front_office, lines_of_business, made_up_leads, real_leads
from ltc_cli.company.deal import Player, write_script
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import SERVICES, Json, Suite
from ltc_cli.report import Books, read_books, show_books, show_front_office, show_journey, show_lines_of_business
from ltc_cli.stack import Stack

SEED = 20260101
CLOCK = "2026-01-01T00:00Z@86400"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is played. `spread_s` is the wall time over which deals begin."""

    data: Path | None
    leads: int
    deals: int
    spread_s: float
    brisk: bool
    beside: lines_of_business.Volume | None = None

    @classmethod
    def of(cls, *, data: Path | None, short: bool) -> "Plan":
        if data is not None:
            return cls(data, leads=0, deals=220, spread_s=25.0, brisk=True)
        if short:
            return cls(None, leads=60, deals=50, spread_s=5.0, brisk=True, beside=lines_of_business.Volume(12, 2, 2))
        return cls(None, leads=400, deals=160, spread_s=25.0, brisk=False, beside=lines_of_business.Volume(40, 4, 5))


async def play(stack: Stack, plan: Plan, console: Console) -> bool:
    """Import, play, settle, show. True when the books balance and a whole journey was seen."""
    clock = parse_clock(stack.clock, stack.clock_anchor)
    began = clock.now()
    dice = random.Random(SEED)
    urls = {name: stack.url(name) for name in SERVICES}
    async with Suite(urls, stack.token()) as suite, EventFeed(stack.kafka_bootstrap) as feed:
        await front_office.set_up(suite)
        async with front_office.Marketing(suite, day_s=1.0, now=clock.now):
            with _progress(console) as progress:
                await _import(suite, plan, dice, progress)
                if plan.data is None:
                    await front_office.nurture(suite)
                leads = await _choose(suite, plan, dice, progress)
                # Real leads have no company's name, so the demo gives each one a buyer.
                player = Player(suite, feed, day_s=1.0, now=clock.now)
                task = progress.add_task("deals played to their end", total=len(leads))
                endings: Counter[str] = Counter()

                async def one(number: int, lead: Json) -> None:
                    await asyncio.sleep(plan.spread_s * number / len(leads))
                    script = write_script(dice, must_be_paid=plan.data is not None, brisk=plan.brisk)
                    company = lead.get("company") or made_up_leads.company_name(dice, number)
                    endings[await player.play(lead, script, company=company)] += 1
                    progress.advance(task)

                volume = plan.beside or lines_of_business.Volume(0, 0, 0)
                beside = asyncio.create_task(
                    lines_of_business.play(suite, feed, stack.kafka_bootstrap, clock, volume, random.Random(SEED), day_s=1.0)
                )
                results = await asyncio.gather(*(one(*item) for item in enumerate(leads)), return_exceptions=True)
                task = progress.add_task("shop, projects and made to order come to their end", total=None)
                sold = await beside
                progress.update(task, total=1, completed=1)
                failed = [result for result in results if isinstance(result, BaseException)]
                task = progress.add_task("unpaid invoices fall overdue, metrics catch up", total=None)
                books = await _settled(suite, endings)
                progress.update(task, total=1, completed=1)
        show_books(console, books, endings, days=(clock.now() - began).days)
        earned = await show_front_office(console, suite)
        mails = len(stack.mailbox.mails())
        console.print(f"nurture: {mails} mails left for leads who agreed (`ltc mails` shows them while it runs)")
        complete = await show_journey(console, suite) and await show_lines_of_business(console, suite, sold)
    failed += sold.failures
    for error in failed[:5]:
        console.print(f"[red]a deal did not come to its end:[/red] {error}")
    return not failed and complete and earned and (plan.data is not None or mails > 0) and books.balanced


async def _import(suite: Suite, plan: Plan, dice: random.Random, progress: Progress) -> None:
    """Through the API, as a customer of the importer would."""
    if plan.data is not None:
        path = plan.data / "leads.csv"
        file, fields, name = path.read_bytes(), real_leads.form_fields(), path.name
    else:
        (file, fields), name = made_up_leads.as_csv(plan.leads, dice), "leads.csv"
    await _run_import(suite, file, fields, name, progress, f"import {name}")
    if plan.data is not None:
        again = await _run_import(suite, file, fields, name, progress, f"import {name} again")
        if again["imported"] != 0:
            raise AssertionError(f"the second import took {again['imported']} leads; it must add none")


async def _run_import(suite: Suite, file: bytes, fields: dict[str, str], name: str, progress: Progress, title: str) -> Json:
    made = await suite.upload("/v1/imports", file=file, name=name, fields=fields)
    task = progress.add_task(title, total=made["total"])
    while made["state"] not in ("done", "failed"):
        await asyncio.sleep(0.2)
        made = await suite.get("lead", f"/v1/imports/{made['id']}")
        progress.update(task, completed=made["processed"])
    errors = (await suite.get("lead", f"/v1/imports/{made['id']}/errors", limit=3))["items"]
    progress.console.print(
        f"{title}: {made['imported']} taken, {made['duplicates']} known already, {made['refused']} refused"
        + "".join(f"\n  line {error['line']}, {error['field']}: {error['reason']}" for error in errors)
    )
    result: Json = made
    return result


async def _choose(suite: Suite, plan: Plan, dice: random.Random, progress: Progress) -> list[Json]:
    """The leads whose deals are played."""
    if plan.data is not None:
        wanted = real_leads.converted_refs(plan.data / "leads.csv")[: plan.deals]
        task = progress.add_task("find leads that converted in reality", total=len(wanted))
        found: list[Json] = []
        for reference in wanted:
            found.append(await suite.first("lead", "/v1/leads", external_ref=reference))
            progress.advance(task)
        return found
    leads: list[Json] = []
    for number in range(plan.deals // 4):
        company = made_up_leads.company_name(dice, 10_000 + number)
        leads.append(await suite.capture(company=company, country="DE", activities=[{"activity": "form"}]))
    page: Json = await suite.get("lead", "/v1/leads", limit=500)
    imported = [lead for lead in page["items"] if lead["external_ref"]]
    return leads + dice.sample(imported, plan.deals - len(leads))


async def _settled(suite: Suite, endings: Counter[str]) -> Books:
    """Wait until metrics-svc has counted everything, and what will not be paid is overdue."""
    deadline = time.monotonic() + 60
    while True:
        books = await read_books(suite)
        if books.agrees_with(endings) or time.monotonic() > deadline:
            return books
        await asyncio.sleep(0.5)


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description:<48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)
