"""Whose processor time something takes: the services, PostgreSQL by database, Kafka and the measuring process itself."""

import os
from collections import defaultdict
from contextlib import suppress

import psutil
from ltc_cli.stack import Stack, processes

Spent = dict[str, float]


def spent(stack: Stack) -> Spent:
    """Milliseconds of CPU (user and system) since each process began, by name. Subtract an earlier one with `since`."""
    found: Spent = defaultdict(float, {"the load": _own(psutil.Process(os.getpid()))})
    for name, identity in stack.processes.items():
        process = processes.find(identity)
        if process is None:
            continue
        if name != "postgres":
            found[name] += _own(process)
            continue
        times = process.cpu_times()
        # A process that ended adds what it had spent to what its parent says of its children.
        found["postgres"] += _own(process) + 1000 * (times.children_user + times.children_system)
        for child in process.children():
            with suppress(psutil.NoSuchProcess):
                found[_name(child)] += _own(child)
    return found


def since(before: Spent, after: Spent) -> Spent:
    """What was spent between the two."""
    return {name: ms - before.get(name, 0.0) for name, ms in after.items()}


def told(part: Spent, count: int) -> str:
    """`3.70 ms: order 1.90, postgres (order) 1.10, ...` for each of `count`; what is below 0.02 ms is in the sum only."""
    most = sorted(part.items(), key=lambda item: -item[1])
    each = [f"{name} {ms / count:.2f}" for name, ms in most if ms / count >= 0.02]
    return f"{sum(part.values()) / count:.2f} ms: {', '.join(each)}"


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return 1000 * (times.user + times.system)


def _name(child: psutil.Process) -> str:
    """`postgres (order)` for a connection of order-svc; the server's own work is `postgres`."""
    words = " ".join(child.cmdline()).split()
    known = len(words) > 2 and words[2].startswith("ltc_")
    return f"postgres ({words[2].removeprefix('ltc_')})" if known else "postgres"
