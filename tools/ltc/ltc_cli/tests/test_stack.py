"""The dev stack on this machine: what it starts, it stops; what is taken, it names; what is separate stays separate."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from ltc_cli.main import app
from ltc_cli.stack import StackError, ports, processes, state


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack of its own, on ports of its own."""
    monkeypatch.delenv("LTC_POSTGRES_DSN", raising=False)
    monkeypatch.delenv("LTC_KAFKA_BOOTSTRAP", raising=False)
    return tmp_path / "stack"


def sleeper(tmp_path: Path, code: str = "import time; time.sleep(60)") -> dict[str, object]:
    return processes.spawn([sys.executable, "-c", code], log=tmp_path / "log")


def test_a_taken_port_is_named_with_who_holds_it_and_what_to_do() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(StackError) as refused:
            ports.require_free({"kafka-controller": port})
    said = str(refused.value)
    assert f"port {port} for kafka-controller is taken" in said
    assert f"process {os.getpid()}" in said
    assert "LTC_PORT_KAFKA_CONTROLLER=<port>" in said


def test_ports_come_from_the_environment_and_must_be_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTC_PORT_LEAD", "9101")
    assert (ports.well_known()["lead"], ports.well_known()["sales"]) == (9101, 8102)
    for wrong in ("0", "65536", "http", "-1"):
        monkeypatch.setenv("LTC_PORT_LEAD", wrong)
        with pytest.raises(StackError, match="LTC_PORT_LEAD must be a port number"):
            ports.well_known()


def test_free_ports_are_all_different() -> None:
    found = ports.free()
    assert len(set(found.values())) == len(found) == 10


def test_a_process_is_stopped_by_its_signal_and_killed_if_it_does_not_listen(tmp_path: Path) -> None:
    polite = sleeper(tmp_path)
    processes.stop(polite, by=signal.SIGTERM, patience_s=10)
    assert processes.find(polite) is None
    ready = tmp_path / "ready"
    code = (
        f"import signal, time, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    deaf = sleeper(tmp_path, code)
    while not ready.exists():
        time.sleep(0.02)
    processes.stop(deaf, by=signal.SIGTERM, patience_s=0.3)
    assert processes.find(deaf) is None
    processes.stop(deaf, by=signal.SIGTERM, patience_s=0.3)


def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    other = sleeper(tmp_path)
    stale = {"pid": other["pid"], "created": psutil.Process().create_time() - 1000}
    processes.stop(stale, by=signal.SIGTERM, patience_s=1)
    processes.kill(stale)
    assert processes.find(stale) is None
    assert processes.find(other) is not None
    processes.kill(other)


def test_an_unreadable_state_file_says_what_to_do(home: Path) -> None:
    home.mkdir()
    state.path_of(home).write_text("{")
    with pytest.raises(StackError, match="stop its processes by hand and delete it"):
        state.load(home)


def test_two_commands_at_once_are_refused(home: Path) -> None:
    with state.exclusive(home), pytest.raises(StackError, match="wait for it"), state.exclusive(home):
        pass


def test_without_a_stack_a_command_says_how_to_start_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTC_HOME", str(home))
    for command in ("status", "token", "logs"):
        result = CliRunner().invoke(app, [command])
        assert (result.exit_code, "`ltc up` starts one" in result.output) == (1, True), result.output
    assert CliRunner().invoke(app, ["down"]).exit_code == 0
