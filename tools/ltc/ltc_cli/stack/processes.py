"""Processes of the stack: started detached, remembered by pid and start time, stopped by a signal and then by force."""

import atexit
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

# Children are kept so that they can be reaped.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@atexit.register
def _let_go() -> None:
    """What still runs was started to outlive us; a return code keeps Python from warning of it."""
    for child in _children.values():
        child.returncode = 0


def spawn(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, run_as: int | None = None, cwd: Path | None = None
) -> dict[str, Any]:
    """Start a process in a session of its own, so that Ctrl-C reaches only us; returns what identifies it for ever."""
    more: dict[str, Any] = {} if run_as is None else {"user": run_as, "group": run_as, "extra_groups": []}
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            start_new_session=True,
            cwd=cwd,
            **more,
        )
    _children[child.pid] = child
    return {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}


def find(known: Mapping[str, Any]) -> psutil.Process | None:
    """The process if it still runs; a new process that was given the same pid is not it."""
    try:
        process = psutil.Process(known["pid"])
        if abs(process.create_time() - known["created"]) > 1.0 or process.status() == psutil.STATUS_ZOMBIE:
            _reap(known["pid"])
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def stop(known: Mapping[str, Any], *, by: signal.Signals, patience_s: float) -> None:
    """Ask, wait, then kill. A process that is gone already is fine."""
    process = find(known)
    if process is None:
        return
    try:
        process.send_signal(by)
        _wait(process, patience_s)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        kill(known)


def kill(known: Mapping[str, Any]) -> None:
    """SIGKILL, to the whole session: a server's workers too."""
    process = find(known)
    if process is None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
        _wait(process, 10)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return


def _wait(process: psutil.Process, timeout: float) -> None:
    """Until it is gone. Another process's child stays as a zombie until that one reaps it, and is gone all the same."""
    deadline = time.monotonic() + timeout
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            raise psutil.TimeoutExpired(timeout, process.pid)
        time.sleep(0.02)
    _reap(process.pid)


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
