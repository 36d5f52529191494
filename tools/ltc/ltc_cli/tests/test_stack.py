"""The dev stack on this machine: what it starts, it stops; what is taken, it names; what is separate stays separate."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from typer.testing import CliRunner

from ltc_cli.main import app
from ltc_cli.stack import Stack, StackError, ports, processes, state


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


@pytest.mark.broker
def test_a_stack_comes_up_serves_and_leaves_nothing_behind(home: Path) -> None:
    stack = Stack(home, ports="free", services=("lead", "order"), fast=True)
    try:
        stack.start(owned=True)
        pids = [int(str(identity["pid"])) for identity in stack.processes.values()]
        assert set(stack.processes) == {"postgres", "kafka", "smtp", "lead", "order"}
        asyncio.run(_roles_are_separate(stack))
        _tokens_open_what_they_name(stack)
        asyncio.run(_mails_are_kept(stack))
        assert sorted(path.name for path in stack.secrets_dir("lead").iterdir()) == ["link-key", "person-key"]
        assert stack.secrets_dir("lead").stat().st_mode & 0o077 == 0
        with pytest.raises(StackError, match="runs already"):
            Stack(home, ports="free").start()
        stack.kill_service("order")
        stack.start_service("order")
        assert httpx.get(f"{stack.url('order')}/health/ready").status_code == 200
        pids.append(int(str(stack.processes["order"]["pid"])))
    finally:
        stack.stop()
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert state.load(home) is None
    assert not [path for path in home.iterdir() if path.is_dir()]


async def _roles_are_separate(stack: Stack) -> None:
    own = await asyncpg.connect(stack.dsn("lead"))
    assert await own.fetchval("SELECT current_user") == "ltc_lead"
    assert not await own.fetchval("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    await own.close()
    for other in ("ltc_order", "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(stack.dsn("lead").rpartition("/")[0] + f"/{other}")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.dsn("lead").replace("ltc_lead:", "ltc_lead:x"))


async def _mails_are_kept(stack: Stack) -> None:
    """A mail that lead-svc's mailroom posts is a file a moment later."""
    async with httpx.AsyncClient() as client:
        assert "notes" not in (await client.get(f"{stack.url('lead')}/health/ready")).json()
    own = await asyncpg.connect(stack.dsn("lead"))
    await own.execute(
        """
        INSERT INTO mail (id, kind, recipient, subject, text, headers, message_id, state, not_before, created_at)
        VALUES (gen_random_uuid(), 'test', 'anna@example.com', 'Grüße', 'Hi', '{}', '<1@test>', 'waiting', now(), now())
        """
    )
    await own.close()
    for _ in range(100):
        if stack.mailbox.mails():
            break
        await asyncio.sleep(0.1)
    [mail] = stack.mailbox.mails()
    assert (mail["To"], mail["Subject"], mail["X-Envelope-To"]) == ("anna@example.com", "Grüße", "anna@example.com")


def _tokens_open_what_they_name(stack: Stack) -> None:
    def status(token: str) -> int:
        return httpx.get(f"{stack.url('lead')}/v1/leads", headers={"Authorization": f"Bearer {token}"}).status_code

    assert httpx.get(f"{stack.url('lead')}/v1/leads").status_code == 401
    assert status(stack.token("leads:read")) == 200
    assert status(stack.token("orders:read")) == 403
    assert status(stack.token("leads:read", ttl_s=-60)) == 401
