"""A large file in a real process of the service: it comes in, the service answers meanwhile, and its memory stays bounded."""

import asyncio
import os
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest
from ltc_chassis.testing import KeyPair

from lead_svc.tests.builders import import_form

# `make attack` takes as many rows as a file may sensibly have; here as many as show the same.
ROWS = 100_000 if os.environ.get("LTC_ATTACK_ALL") else 12_000
SIZE = 19 * 1024 * 1024
MOST_MB = 180
HEADER = "Ref,Company,Channel,Source,Note\n"


def memory_mb(pid: int, name: str) -> float:
    """`VmRSS` (now) or `VmHWM` (the most it ever was) of a process, MB."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def large_file() -> str:
    width = SIZE // ROWS - 30
    return HEADER + "".join(f"r{number},Company {number},web,Google,{'=x ' * (width // 3)}\n" for number in range(ROWS))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.usefixtures("environment")
@pytest.mark.timeout(300)
async def test_a_large_file_fits_into_bounded_memory_of_a_real_process(keys: KeyPair, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "lead_svc.app:create_app",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        headers = {"Authorization": f"Bearer {keys.token()}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            async with asyncio.timeout(60):
                while True:
                    try:
                        if (await client.get("/health/ready")).status_code == 200:
                            break
                    except httpx.TransportError:
                        assert process.returncode is None, (tmp_path / "log").read_text()
                    await asyncio.sleep(0.1)
            idle = memory_mb(process.pid, "VmRSS")
            mapping = {"external_ref": "Ref", "company": "Company", "channel": "Channel", "source": "Source"}
            reply = await client.post("/v1/imports", **import_form(large_file(), mapping))
            assert (reply.status_code, reply.json()["total"]) == (202, ROWS)
            path = f"/v1/imports/{reply.json()['id']}"
            async with asyncio.timeout(240):
                while (done := (await client.get(path)).json())["state"] != "done":
                    await asyncio.sleep(0.2)
            assert (done["imported"], done["refused"]) == (ROWS, 0)
            most = memory_mb(process.pid, "VmHWM")
            assert most - idle < MOST_MB, f"{idle:.0f} MB idle, {most:.0f} MB at most"
    finally:
        process.terminate()
        await process.wait()
