"""The dev stack as one object: start it, stop it, and, in fault tests, hurt it."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

import httpx

from ltc_cli.stack import databases, ports, processes, state
from ltc_cli.stack.errors import StackError
from ltc_cli.stack.kafka import Kafka
from ltc_cli.stack.keys import Keys
from ltc_cli.stack.mailbox import Mailbox
from ltc_cli.stack.places import cache_folder, default_home
from ltc_cli.stack.postgres import Postgres
from ltc_cli.stack.threads import run_async
from ltc_cli.stack.topics import create_topics

SERVICES = ("lead", "sales", "order", "delivery", "billing", "metrics")
Say = Callable[[str], None]
_READY_S = 60.0


class Stack:
    """PostgreSQL, Kafka and services of this machine, with all they need in `home`.

    As a context manager it is gone at the end, with its data, even if this process is killed.
    With LTC_POSTGRES_DSN (a superuser's) or LTC_KAFKA_BOOTSTRAP set, those servers are used instead of own ones.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        ports: Literal["default", "free"] = "default",
        clock: str = "",
        services: tuple[str, ...] = SERVICES,
        fast: bool = False,
        env: Mapping[str, str] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.home = (home or default_home()).resolve()
        self.services = services
        self._choice = ports
        self._say = say
        self._state = state.State(ports={}, clock=clock, fast=fast, env=dict(env or {}))
        self._keys = Keys(self.home / "keys")
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._external_postgres = os.environ.get("LTC_POSTGRES_DSN", "")
        self._external_kafka = os.environ.get("LTC_KAFKA_BOOTSTRAP", "")

    @classmethod
    def running(cls, home: Path | None = None) -> "Stack":
        """The stack that `ltc up` started; raises `StackError` when there is none."""
        found = cls(home)
        known = state.load(found.home)
        if known is None:
            raise StackError("no stack is running here; `ltc up` starts one")
        found._state = known
        return found

    def __enter__(self) -> "Stack":
        self.start(owned=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def clock(self) -> str:
        return self._state.clock

    @property
    def clock_anchor(self) -> str:
        return self._state.clock_anchor

    @property
    def admin_dsn(self) -> str:
        return self._external_postgres or self._postgres().admin_dsn

    @property
    def kafka_bootstrap(self) -> str:
        return self._external_kafka or self._kafka().bootstrap

    @property
    def processes(self) -> dict[str, dict[str, object]]:
        """What was started, by name, with pid and start time."""
        return dict(self._state.processes)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._state.ports[service]}"

    def dsn(self, service: str) -> str:
        """A service's own way into its own database."""
        return databases.dsn(self.admin_dsn, service, databases.passwords(self.home, self.services)[service])

    def secrets_dir(self, service: str) -> Path:
        """A service's own secrets, a file each, with keys drawn at the start."""
        folder = self.home / "secrets" / service
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # lead-svc answers what persons ask for, and keeps whom it was for as a keyed hash.
        for name in ("link-key", *(("person-key",) if service == "lead" else ())):
            key = folder / name
            if not key.exists():
                key.touch(mode=0o600)
                key.write_text(secrets.token_hex(32))
        return folder

    @property
    def mailbox(self) -> Mailbox:
        """The mail server; whatever a service sends lies there."""
        return Mailbox(self.home, self._state.ports.get("smtp", 0))

    def token(self, scopes: str = "*", *, ttl_s: float = 24 * 3600) -> str:
        return self._keys.token(scopes=scopes, ttl_s=ttl_s)

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def start(self, *, owned: bool = False) -> None:
        """Start everything and wait until it is ready; if anything fails, stop what was started.

        An owned stack is killed when this process ends, however it ends.
        """
        with state.exclusive(self.home):
            self._refuse_if_running()
            chosen = ports.free() if self._choice == "free" else ports.well_known()
            wanted = {*self.services, "smtp"} | (set() if self._external_postgres else {"postgres"})
            wanted |= set() if self._external_kafka else {"kafka", "kafka-controller"}
            ports.require_free({name: chosen[name] for name in chosen if name in wanted})
            self._state.ports = chosen
            # All processes agree on business time, also those that are started again later.
            self._state.clock_anchor = datetime.now(UTC).isoformat()
            self._keys.ensure()
            (self.home / "logs").mkdir(parents=True, exist_ok=True)
            state.save(self.home, self._state)
            if owned:
                self._watch()
            try:
                self._bring_up()
            except BaseException:
                self._take_down(keep=True)
                raise

    def stop(self, *, keep: bool = False) -> None:
        """Services, Kafka, PostgreSQL; then the data, unless `keep`. Nothing running is fine."""
        with state.exclusive(self.home):
            self._take_down(keep=keep)

    def start_service(self, service: str, *, wait: bool = True) -> None:
        """Start one service (again)."""
        command = [sys.executable, "-m", "uvicorn", "--factory", f"{service}_svc.app:create_app", "--host", "127.0.0.1"]
        command += [
            "--port",
            str(self._state.ports[service]),
            "--no-access-log",
            "--no-proxy-headers",
            "--timeout-graceful-shutdown",
            "5",
        ]
        given = {
            "LTC_POSTGRES_DSN": self.dsn(service),
            "LTC_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "LTC_AUTH_PUBLIC_KEY": str(self._keys.public),
            "LTC_SECRETS_DIR": str(self.secrets_dir(service)),
            "LTC_PUBLIC_URL": self.url(service),
            **self.mailbox.environment,
            "LTC_CLOCK": self._state.clock,
            "LTC_CLOCK_ANCHOR": self._state.clock_anchor,
            **self._state.env,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LTC_")}
        self._remember(service, processes.spawn(command, log=self.log(service), env={**inherited, **given}, cwd=self.home))
        if wait:
            self._wait_ready([service])

    def stop_service(self, service: str) -> None:
        processes.stop(self._state.processes[service], by=signal.SIGTERM, patience_s=15)

    def kill_service(self, service: str) -> None:
        """SIGKILL: no goodbye."""
        processes.kill(self._state.processes[service])

    def start_postgres(self) -> None:
        postgres = self._postgres()
        self._remember("postgres", postgres.start())
        postgres.wait(self._state.processes["postgres"])

    def stop_postgres(self) -> None:
        Postgres.stop(self._state.processes["postgres"])

    def kill_postgres(self) -> None:
        processes.kill(self._state.processes["postgres"])

    def start_kafka(self) -> None:
        kafka = self._kafka()
        self._remember("kafka", kafka.start(self._say))
        kafka.wait(self._state.processes["kafka"])

    def stop_kafka(self) -> None:
        Kafka.stop(self._state.processes["kafka"])

    def kill_kafka(self) -> None:
        processes.kill(self._state.processes["kafka"])

    def _bring_up(self) -> None:
        began = time.monotonic()
        postgres, kafka = self._postgres(), self._kafka()
        # Both start at the same time; the JVM takes longest.
        if not self._external_kafka:
            self._remember("kafka", kafka.start(self._say))
        if not self._external_postgres:
            self._remember("postgres", postgres.start())
            postgres.wait(self._state.processes["postgres"])
        run_async(databases.prepare(self.admin_dsn, databases.passwords(self.home, self.services)))
        self._say(f"PostgreSQL ready, {len(self.services)} databases migrated ({time.monotonic() - began:.1f} s)")
        self._remember("smtp", self.mailbox.start())
        for service in self.services:
            self.start_service(service, wait=False)
        if not self._external_kafka:
            kafka.wait(self._state.processes["kafka"])
        made = run_async(create_topics(self.kafka_bootstrap))
        self._say(f"Kafka ready, {made} topics made ({time.monotonic() - began:.1f} s)")
        self.mailbox.wait(self._state.processes["smtp"])
        self._wait_ready(self.services)
        self._say(f"{len(self.services)} services ready ({time.monotonic() - began:.1f} s)")

    def _wait_ready(self, services: "tuple[str, ...] | list[str]") -> None:
        deadline = time.monotonic() + _READY_S
        waiting = list(services)
        while waiting:
            for service in list(waiting):
                if _is_ready(self.url(service)):
                    waiting.remove(service)
                elif processes.find(self._state.processes[service]) is None:
                    raise StackError(f"{service}-svc ended while starting:\n{self._last_lines(service)}")
            if waiting and time.monotonic() > deadline:
                raise StackError(f"{', '.join(waiting)} not ready after {_READY_S:.0f} s; see {self.log(waiting[0])}")
            time.sleep(0.05)

    def _last_lines(self, service: str) -> str:
        return "\n".join(self.log(service).read_text(errors="replace").splitlines()[-12:])

    def _remember(self, name: str, identity: dict[str, object]) -> None:
        self._state.processes[name] = identity
        state.save(self.home, self._state)

    def _refuse_if_running(self) -> None:
        known = state.load(self.home)
        if known is None:
            return
        if any(processes.find(identity) for identity in known.processes.values()):
            raise StackError(f"a stack runs already in {self.home}; `ltc status` shows it, `ltc down` stops it")
        state.forget(self.home)

    def _take_down(self, *, keep: bool) -> None:
        known = state.load(self.home)
        if known is not None:
            self._state = known
        running = self._state.processes
        for service in SERVICES:
            if service in running and (process := processes.find(running[service])) is not None:
                process.send_signal(signal.SIGTERM)  # all at once; each is waited for below
        for service in SERVICES:
            if service in running:
                processes.stop(running[service], by=signal.SIGTERM, patience_s=15)
        if "smtp" in running:
            Mailbox.stop(running["smtp"])
        if "kafka" in running:
            Kafka.stop(running["kafka"])
        if "postgres" in running:
            Postgres.stop(running["postgres"])
        state.forget(self.home)
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait(10)
            self._watchdog = None
        if not keep:
            self._postgres().remove()
            self._kafka().remove()
            for leftover in ("logs", "secrets", "keys", "mails"):
                shutil.rmtree(self.home / leftover, ignore_errors=True)

    def _watch(self) -> None:
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "ltc_cli.stack.watchdog", str(self.home)], stdin=subprocess.PIPE, start_new_session=True
        )

    def _postgres(self) -> Postgres:
        return Postgres(self.home, self._state.ports.get("postgres", 0), fast=self._state.fast)

    def _kafka(self) -> Kafka:
        chosen = self._state.ports
        return Kafka(self.home, chosen.get("kafka", 0), chosen.get("kafka-controller", 0), cache=cache_folder())


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False
