"""Ports: the well-known ones of the dev stack, free ones for tests, and who holds a taken one."""

import os
import socket

import psutil

from ltc_cli.stack.errors import StackError

DEFAULTS = {
    "postgres": 15432,
    "kafka": 19092,
    "kafka-controller": 19093,
    "smtp": 18025,
    "lead": 8101,
    "sales": 8102,
    "order": 8103,
    "delivery": 8104,
    "billing": 8105,
    "metrics": 8106,
}


def well_known() -> dict[str, int]:
    """The default ports, each overridable: LTC_PORT_POSTGRES, LTC_PORT_KAFKA_CONTROLLER, LTC_PORT_LEAD, ..."""
    chosen: dict[str, int] = {}
    for name, default in DEFAULTS.items():
        variable = f"LTC_PORT_{name.upper().replace('-', '_')}"
        text = os.environ.get(variable, str(default))
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise StackError(f"{variable} must be a port number, got '{text}'")
        chosen[name] = int(text)
    return chosen


def free() -> dict[str, int]:
    """A free port for every name, all different."""
    held = [socket.socket() for _ in DEFAULTS]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(DEFAULTS, held, strict=True)}
    finally:
        for each in held:
            each.close()


def require_free(ports: dict[str, int]) -> None:
    """Raise `StackError` naming every port that somebody else listens on, who, and how to choose another."""
    taken = [(name, port) for name, port in ports.items() if _is_taken(port)]
    if taken:
        lines = [f"port {port} for {name} is taken{_by(port)}" for name, port in taken]
        variable = f"LTC_PORT_{taken[0][0].upper().replace('-', '_')}"
        raise StackError("; ".join(lines) + f". Stop that program, or choose another port: {variable}=<port> ltc up")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def _by(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
