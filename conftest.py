"""PostgreSQL and Kafka for every test of the workspace, real ones, shared by all workers."""

import gc
import os
import resource
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from ltc_cli.stack.infra import Containers, Infra, watch

pytest_plugins = ["ltc_chassis.testing", "ltc_chassis.testing_mail", "ltc_chassis.testing_browser"]
# How fast examples are drawn says how busy the machine is, and nothing about what is tested.
settings.register_profile("suite", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
# What is imported and collected stays to the end: looking through it again and again costs a fifth of all collecting.
gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Infra | Containers]:
    """`admin_dsn` and `kafka_bootstrap`; each server starts when first asked for.

    With LTC_TEST_INFRA=testcontainers they run in containers.
    """
    if os.environ.get("LTC_TEST_INFRA") == "testcontainers":
        containers = Containers()
        yield containers
        containers.stop()
        return
    # Workers share the parent folder of their own temporary folders; the controller stops what is left there.
    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "infra"
    found = Infra(home)
    watchdog = watch(home) if worker_id == "master" else None
    yield found
    if watchdog is not None and watchdog.stdin is not None:
        found.stop()
        watchdog.stdin.close()
        watchdog.wait(60)


class _SharedInfra:
    """On the controller of pytest-xdist: the servers end with the session, also when it is killed."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self._watchdog = watch(home)

    def pytest_sessionfinish(self) -> None:
        Infra(self._home).stop()
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait(60)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and getattr(config.option, "numprocesses", None):
        base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # what the fixture returns, before fixtures exist
        config.pluginmanager.register(_SharedInfra(base / "infra"), "shared-infra")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


_CPU = pytest.StashKey[float]()
_spent: defaultdict[str, float] = defaultdict(float)


def _cpu_s() -> float:
    ours, of_children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return ours.ru_utime + ours.ru_stime + of_children.ru_utime + of_children.ru_stime


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_CPU] = _cpu_s()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "teardown":
        report.user_properties.append(("cpu_s", _cpu_s() - item.stash.get(_CPU, _cpu_s())))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties:
        if name == "cpu_s" and isinstance(value, float):
            _spent[report.nodeid.partition("::")[0]] += value


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the time goes (docs/testing.md); PostgreSQL and Kafka have about a third of it besides."""
    if sum(_spent.values()) > 20:
        terminalreporter.section("CPU seconds of tests and the programs they start: the ten dearest files")
        for file, seconds in sorted(_spent.items(), key=lambda spent: -spent[1])[:10]:
            terminalreporter.write_line(f"{seconds:7.1f}  {file}")
