"""Whatever a service is told, it answers: never a 5xx, every refusal a problem that docs/problems.md explains, and nothing that was
taken breaks what comes after: reading it, the timers, the events.

Here a fixed choice of attacks runs, LTC_ATTACK_PER_ROUTE of each route (in CI more); `make attack` runs all of them,
LTC_ATTACK_ROUTES=<expression> those on some routes.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, Emitted, KeyPair
from ltc_chassis.timers import run_until_idle

from tests.house.attack import attacks, examples
from tests.house.attack.world import World
from tests.house.routes import SERVICES

SEED = int(os.environ.get("LTC_ATTACK_SEED", "20260101"))
ROUTES = os.environ.get("LTC_ATTACK_ROUTES", "")
EVERYTHING = bool(os.environ.get("LTC_ATTACK_ALL"))
PER_ROUTE = int(os.environ.get("LTC_ATTACK_PER_ROUTE", "3"))
# Training and printing start a process of their own; what they read is attacked in the tests of their services.
AWAY = {"train-model"}


@pytest.fixture(params=SERVICES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def service(name: str) -> str:
    return f"{name}_svc"


@pytest.fixture
def make_app(name: str) -> Callable[[], FastAPI]:
    made: Callable[[], FastAPI] = import_module(f"{name}_svc.app").create_app
    return made


@pytest.mark.timeout(3600 if EVERYTHING or PER_ROUTE > 3 else 120)
async def test_whatever_is_said_is_answered_and_breaks_nothing(
    name: str,
    app: FastAPI,
    runtime: Runtime,
    keys: KeyPair,
    clock: FixedClock,
    deliver: Deliver,
    emitted: Callable[[], Awaitable[list[Emitted]]],
) -> None:
    clock.advance(days=45)  # so that the days of the examples are past or to come as they mean it
    world = World(app, keys.token(), random.Random(SEED), examples.of_service(name))
    try:
        await world.told(deliver)
        for _ in range(2):
            await world.warm_up()
            await _run(runtime, name)
        document = app.openapi()
        found = {route: each for route, each in attacks.of_routes(document, world.examples).items() if re.search(ROUTES, route)}
        for number, attack in enumerate(attacks.some(found, world.rng, None if EVERYTHING else PER_ROUTE)):
            if number % 400 == 399:
                await world.warm_up()
            await attack.on(world)
        for _ in range(2):
            await _run(runtime, name)
            clock.advance(days=400)
        for example in world.examples:
            if example.method == "GET":
                await world.send(world.settled(example))
        await emitted()
    finally:
        await world.close()
    defects = [answer for answer in world.answers if answer.status >= 500]
    assert not defects, _told(defects)
    bare = [answer for answer in world.answers if answer.status >= 400 and not answer.told]
    assert not bare, _told(bare)


async def _run(runtime: Runtime, name: str) -> None:
    """Everything that is due; what it raises is a defect."""
    if name == "metrics":
        return
    for timer in import_module(f"{name}_svc.timers").TIMERS:
        if timer.name not in AWAY:
            await run_until_idle(runtime, timer)


def _told(answers: list[Any]) -> str:
    """Each kind once, with what was sent."""
    kinds = Counter(
        (answer.defect or "").strip().splitlines()[-1:][0][:200] if answer.defect else str(answer.status) for answer in answers
    )
    shown = {(answer.defect or str(answer.status))[-300:]: answer for answer in answers}
    lines = [f"{len(answers)} answers: {kinds.most_common(20)}"]
    lines += [
        f"{answer.status} {answer.request}\n{answer.body[:300]!r}\n{answer.defect or ''}" for answer in list(shown.values())[:12]
    ]
    return "\n\n".join(lines)
