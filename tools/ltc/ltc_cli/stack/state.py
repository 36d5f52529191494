"""What runs: one JSON file per stack, written before anything is started and after everything is stopped."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ltc_cli.stack.errors import StackError


@dataclass(slots=True)
class State:
    """Processes in the order of their start; `ports`, clock and places as they were chosen at the start."""

    ports: dict[str, int]
    clock: str = ""
    clock_anchor: str = ""
    fast: bool = False
    keep: bool = False
    env: dict[str, str] = field(default_factory=dict)
    processes: dict[str, dict[str, Any]] = field(default_factory=dict)


def path_of(home: Path) -> Path:
    return home / "state.json"


def load(home: Path) -> State | None:
    """The state, or None when nothing runs here."""
    try:
        return State(**json.loads(path_of(home).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise StackError(f"{path_of(home)} cannot be read ({error}); stop its processes by hand and delete it") from error


def save(home: Path, state: State) -> None:
    """Replace the file in one move, so that a crash leaves the old or the new one."""
    draft = home / f"state.json.{os.getpid()}"
    draft.write_text(json.dumps(asdict(state), indent=1))
    draft.replace(path_of(home))


def forget(home: Path) -> None:
    path_of(home).unlink(missing_ok=True)


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Only one command at a time may start or stop a stack."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"another `ltc` command is starting or stopping the stack in {home}; wait for it") from error
        yield
