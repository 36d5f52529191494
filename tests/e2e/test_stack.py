"""A stack of one's own: what it starts, it stops; what is separate stays separate."""

import asyncio
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from ltc_cli.stack import Stack, StackError, state


def test_a_stack_comes_up_serves_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LTC_POSTGRES_DSN", raising=False)
    monkeypatch.delenv("LTC_KAFKA_BOOTSTRAP", raising=False)
    home = tmp_path / "stack"
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
