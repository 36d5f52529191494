"""The mail server of the dev stack: a real SMTP server whose every mail is a file, so that a developer can open what was sent.

`python -m ltc_cli.stack.mailbox <port> <folder>`
"""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from ltc_cli.stack import processes
from ltc_cli.stack.errors import StackError

_READY_S = 20.0


class Mailbox:
    """The server as a process; mails lie in `folder` as `<when>-<number>.eml`, in the order they came."""

    def __init__(self, home: Path, port: int) -> None:
        self.folder = home / "mails"
        self._port = port
        self._log = home / "logs" / "smtp.log"

    @property
    def environment(self) -> dict[str, str]:
        """What a service must know to send mail by it."""
        return {
            "LTC_SMTP_HOST": "127.0.0.1",
            "LTC_SMTP_PORT": str(self._port),
            "LTC_SMTP_SECURITY": "none",
            "LTC_SMTP_PER_S": "1000",
            "LTC_MAIL_FROM": "LTC <ltc@company.example>",
        }

    def start(self) -> dict[str, Any]:
        """Start it; returns what identifies the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ltc_cli.stack.mailbox", str(self._port), str(self.folder)]
        return processes.spawn(command, log=self._log)

    def wait(self, known: Mapping[str, Any]) -> None:
        """Until it answers. Raises `StackError`."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and processes.find(known) is not None:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        raise StackError(f"the mail server did not start; see {self._log}")

    def mails(self) -> list[EmailMessage]:
        """What was sent so far, in order."""
        found: list[EmailMessage] = []
        for path in sorted(self.folder.glob("*.eml")):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found

    @staticmethod
    def stop(known: Mapping[str, Any]) -> None:
        processes.stop(known, by=signal.SIGTERM, patience_s=5)


class _Keeper:
    """Keeps each mail before it says that it has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = len(list(folder.glob("*.eml")))

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        self._number += 1
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{self._number:06d}.eml"
        content = envelope.content
        assert isinstance(content, bytes)
        heads = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        draft = path.with_suffix(".part")
        draft.write_bytes(heads.encode() + content)
        draft.replace(path)
        return "250 OK"


async def _serve(port: int, folder: Path) -> None:
    loop, keeper, ended = asyncio.get_running_loop(), _Keeper(folder), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: SMTP(keeper, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", port)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
