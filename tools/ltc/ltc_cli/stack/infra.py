"""PostgreSQL and Kafka for tests: started when first asked for, one of each for all workers, gone at the end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ltc_cli.stack import ports, state
from ltc_cli.stack.errors import StackError
from ltc_cli.stack.kafka import Kafka
from ltc_cli.stack.places import cache_folder
from ltc_cli.stack.postgres import Postgres


class Infra:
    """Servers in `home`, shared by every process that names the same `home`; the first one to ask starts them.

    LTC_POSTGRES_DSN and LTC_KAFKA_BOOTSTRAP name servers to use instead.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._admin_dsn = os.environ.get("LTC_POSTGRES_DSN", "")
        self._bootstrap = os.environ.get("LTC_KAFKA_BOOTSTRAP", "")
        (home / "logs").mkdir(parents=True, exist_ok=True)

    @property
    def admin_dsn(self) -> str:
        """A superuser's way in."""
        if not self._admin_dsn:
            self._admin_dsn = self._shared("postgres")
        return self._admin_dsn

    @property
    def kafka_bootstrap(self) -> str:
        """A real broker."""
        if not self._bootstrap:
            self._bootstrap = self._shared("kafka")
        return self._bootstrap

    def stop(self) -> None:
        """Stop whatever was started here."""
        known = state.load(self._home)
        for name, stop in (("kafka", Kafka.stop), ("postgres", Postgres.stop)):
            if known is not None and name in known.processes:
                stop(known.processes[name])
        state.forget(self._home)
        if known is not None:
            self._postgres(known).remove()

    def _shared(self, name: str) -> str:
        import fcntl

        with (self._home / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._known()
            server: Any = self._postgres(known) if name == "postgres" else self._kafka(known)
            if name not in known.processes:
                identity = server.start()
                self._remember(name, identity)
                server.wait(identity)
            address: str = server.admin_dsn if name == "postgres" else server.bootstrap
            return address

    def _known(self) -> state.State:
        import fcntl

        with (self._home / ".state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = state.load(self._home)
            if known is None:
                known = state.State(ports=ports.free(), fast=True)
                state.save(self._home, known)
            return known

    def _remember(self, name: str, identity: dict[str, Any]) -> None:
        import fcntl

        with (self._home / ".state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = state.load(self._home)
            assert known is not None
            known.processes[name] = identity
            state.save(self._home, known)

    def _postgres(self, known: state.State) -> Postgres:
        return Postgres(self._home, known.ports["postgres"], fast=True)

    def _kafka(self, known: state.State) -> Kafka:
        return Kafka(self._home, known.ports["kafka"], known.ports["kafka-controller"], cache=cache_folder())


def watch(home: Path) -> subprocess.Popen[bytes]:
    """A watchdog that stops what `home` names when this process ends, however it ends."""
    return subprocess.Popen(
        [sys.executable, "-m", "ltc_cli.stack.watchdog", str(home)], stdin=subprocess.PIPE, start_new_session=True
    )


class Containers:
    """The same two servers on containers, where an engine answers (LTC_TEST_INFRA=testcontainers)."""

    def __init__(self) -> None:
        self._running: list[Any] = []
        self._admin_dsn = ""
        self._bootstrap = ""

    @property
    def admin_dsn(self) -> str:
        if not self._admin_dsn:
            from testcontainers.postgres import PostgresContainer

            container = PostgresContainer("postgres:18-alpine", driver=None).with_command(
                "postgres -c fsync=off -c synchronous_commit=off -c max_connections=400"
            )
            self._admin_dsn = self._start(container).get_connection_url()
        return self._admin_dsn

    @property
    def kafka_bootstrap(self) -> str:
        if not self._bootstrap:
            from testcontainers.kafka import KafkaContainer

            container = KafkaContainer("apache/kafka:4.1.0").with_env("KAFKA_MESSAGE_MAX_BYTES", str(4 * 1024 * 1024))
            self._bootstrap = self._start(container).get_bootstrap_server()
        return self._bootstrap

    def stop(self) -> None:
        for container in self._running:
            container.stop()

    def _start(self, container: Any) -> Any:
        try:
            container.start()
        except Exception as error:
            raise StackError(
                f"LTC_TEST_INFRA=testcontainers needs a container engine, and none answers ({type(error).__name__}); "
                "start one, or unset the variable to use PostgreSQL and Kafka from packages"
            ) from error
        self._running.append(container)
        return container
