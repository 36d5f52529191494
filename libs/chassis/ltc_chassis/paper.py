"""Paper: PDF documents by typst, off the event loop, from templates in `<package>/papers/*.typ`.

A template is code and reviewed as such; data is handed over as JSON in a file that exists only in memory, so nothing a
customer is called can become markup. The same input gives the same bytes, on any day: a hash over them is worth something.

A template begins

    #import "look.typ": paper
    #let d = json("data.json")
    #show: paper.with(title: d.title)

and gets paper size, fonts, letterhead, footer, page numbers and document properties from the shared look.
"""

import asyncio
import atexit
import importlib.resources
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from ltc_contracts.errors import DomainError

from ltc_chassis import press
from ltc_chassis.letterhead import Letterhead

logger = logging.getLogger(__name__)

MAX_DATA_BYTES = 4 * 1024 * 1024
MAX_PDF_BYTES = 20 * 1024 * 1024
SECONDS_ALLOWED = 20.0
MAX_WAITING = 64


class PaperTooLarge(DomainError):
    """The document's data, attachments or pages exceed what is printed."""

    kind = "too_large"


class PaperBusy(DomainError):
    """More documents wait for the printer than it can promise to print; repeat the request a little later."""

    kind = "unavailable"


class PaperTookTooLong(DomainError):
    """The document was given up: it took longer or more memory than a document may."""

    kind = "unavailable"


class TemplateFailed(Exception):
    """A template does not fit its data: a defect of ours, with typst's diagnosis."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the PDF, such as the invoice in XML. `relationship` as PDF/A-3 names it."""

    name: str
    content: bytes
    mime_type: str
    description: str = ""
    relationship: Literal["source", "data", "alternative", "supplement"] = "supplement"


async def print_pdf(
    package: str,
    template: str,
    data: Mapping[str, Any],
    *,
    letterhead: Letterhead | None = None,
    attachments: Sequence[Attachment] | None = None,
    created_at: datetime | None = None,
    archival: bool = False,
    seconds: float = SECONDS_ALLOWED,
) -> bytes:
    """Print `<package>/papers/<template>.typ` with `data`, which must be JSON but for UUIDs, dates and decimals.

    The document carries a creation date only when `created_at` is given, which `archival` needs: then it is PDF/A-3b
    (ISO 19005-3), to be kept for years, with everything that it needs inside. One document is printed at a time per process
    (a quote of 20 lines takes about 15 ms, the first one 200 ms). Characters that no installed font has are printed as
    boxes, named in the footer and logged; folders with more fonts go into LTC_PAPER_FONTS.
    Raises `PaperTooLarge`, `PaperBusy`, `PaperTookTooLong`; `TemplateFailed` for a defect of the template.
    """
    files = _files(package, template, data, letterhead, attachments or (), created_at)
    created, standard = int(created_at.timestamp()) if created_at else 0, "a-3b" if archival else ""
    pdf, missing = await _PRINTER.run(files, created, standard, seconds)
    if missing:
        codes = " ".join(f"U+{ord(character):04X}" for character in missing[:20])
        logger.warning("%s/%s: no font here has %s; put one into a folder of LTC_PAPER_FONTS", package, template, codes)
    if len(pdf) > MAX_PDF_BYTES:
        raise PaperTooLarge(f"the document has {len(pdf)} bytes; at most {MAX_PDF_BYTES} are kept")
    return pdf


def _files(
    package: str,
    template: str,
    data: Mapping[str, Any],
    letterhead: Letterhead | None,
    attachments: Sequence[Attachment],
    created_at: datetime | None,
) -> dict[str, bytes]:
    """Everything a document is made of, by name."""
    attached = [
        {"name": each.name, "mime": each.mime_type, "description": each.description, "relationship": each.relationship}
        for each in attachments
    ]
    pictures = {"logo.png": letterhead.logo} if letterhead is not None and letterhead.logo is not None else {}
    binary = {**pictures, **{f"attached/{number}": each.content for number, each in enumerate(attachments)}}
    own = {
        "letterhead": letterhead.on_paper() if letterhead else None,
        "attachments": attached,
        "created_at": created_at.isoformat() if created_at else None,
    }
    papers = importlib.resources.files(package) / "papers"
    shared = importlib.resources.files("ltc_chassis") / "papers"
    files = {
        "main.typ": (papers / f"{template}.typ").read_bytes(),
        "look.typ": (shared / "look.typ").read_bytes(),
        "data.json": orjson.dumps({**data, "paper": own}, default=str),
        # The binding takes nothing but text for a file in memory, so bytes travel as numbers; `look.typ` turns them back.
        **{f"{name}.json": orjson.dumps(list(content)) for name, content in binary.items()},
    }
    size = sum(len(content) for content in files.values())
    if size > MAX_DATA_BYTES:
        raise PaperTooLarge(f"the document is made of {size} bytes; at most {MAX_DATA_BYTES} are printed")
    return files


class _Printer:
    """The one printing process of this process, started with the first document and again whenever it is gone."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._waiting = 0

    async def run(self, files: Mapping[str, bytes], created: int, standard: str, seconds: float) -> tuple[bytes, str]:
        """The PDF and the characters that could not be printed."""
        if self._waiting >= MAX_WAITING:
            raise PaperBusy(f"{self._waiting} documents wait to be printed")
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="printer")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._print, files, created, standard, seconds)
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """Let the process go."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _print(self, files: Mapping[str, bytes], created: int, standard: str, seconds: float) -> tuple[bytes, str]:
        named = [part for name, content in files.items() for part in (name.encode(), content)]
        job = [str(seconds).encode(), str(created).encode(), standard.encode(), *named]
        child = self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            press.write_parts(child.stdin, job)
            kind, *answer = press.read_parts(child.stdout)
        except (EOFError, OSError) as error:
            # What was written to a process that is gone stays in the buffer; `stop` throws both away.
            ended_by = child.wait()
            self._child = None
            _close(child)
            if ended_by == -signal.SIGALRM:
                raise PaperTookTooLong(f"the document was given up after {seconds:g} s") from error
            raise PaperTookTooLong(f"the printing process ended ({ended_by}); the document may need too much memory") from error
        if kind == press.FAILED:
            raise TemplateFailed(answer[0].decode())
        if kind == press.RETIRING:
            self._child = None
            child.wait()
            _close(child)
        pdf, missing = answer
        return pdf, missing.decode()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            _close(self._child)
            self._child = None
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-m", press.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
            )
        return self._child


def _environment() -> dict[str, str]:
    """What the printing process may know: where its libraries and fonts are, no settings and no secrets."""
    kept = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV", "LTC_PAPER_FONTS")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _close(child: subprocess.Popen[bytes]) -> None:
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                logger.debug("the printing process was gone before everything was written to it")


_PRINTER = _Printer()
atexit.register(_PRINTER.stop)
