"""The printing process: typst in a process of its own, so that a page can cost no more time and memory than it may.

The service's process starts it, feeds it one job after the other, and reads the page or the reason. The operating system
ends a job that takes too long (SIGALRM) or wants too much memory; a process that has grown retires after its answer, and
the next job starts another. When the service dies, however suddenly, the pipe closes and this process ends.

Typst's cache keeps about ten documents: a press that printed lists of 500 lines holds 300 MB, which is why it is not a
thread of the service although the binding gives up the interpreter's lock.
"""

import json
import os
import resource
import signal
import struct
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import typst

MAX_ADDRESS_SPACE = 3 * 1024**3
RETIRE_ABOVE_KB = 220 * 1024
PRINTED, RETIRING, FAILED = b"P", b"R", b"F"
_LENGTH = struct.Struct(">I")
# A character that no font has, then one character a page: a page equal to the first one is a character nobody can print.
_PROBE = b"""#set page(width: 30pt, height: 30pt, margin: 2pt)
#set text(dir: ltr, size: 20pt)
#for c in json("characters.json") { page(text(c)) }"""
_EACH = b"""#set document(title: "x")
#for c in json("characters.json") { par(text(c)) }"""
# The last one is in every font.
_BOXES = ("\ufffd", "\u25a1", "?")
_NOBODY_HAS = "\U0010fffe"
_MOST_PROBED = 2000
_compile: Any = typst.compile  # its stub does not know that it takes several files


def write_parts(stream: IO[bytes], parts: Sequence[bytes]) -> None:
    """One message: the number of parts, then each with its length."""
    stream.write(_LENGTH.pack(len(parts)) + b"".join(_LENGTH.pack(len(part)) + part for part in parts))
    stream.flush()


def read_parts(stream: IO[bytes]) -> list[bytes]:
    """The next message; raises EOFError where the other side is gone."""
    return [_exactly(stream, _length(stream)) for _ in range(_length(stream))]


class Press:
    """Compiles documents made of files that exist only in memory: nothing on the disk can be read by a template."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=True, font_paths=list(folders))
        self._printable: dict[str, bool] = {}

    def print(self, files: dict[str, bytes], seconds_since_1970: int, standard: str = "") -> tuple[bytes, str]:
        """The PDF, and the characters of `data.json` that no font here has. The template prints them as boxes and says so.

        `standard` is one that typst knows, such as "a-3b"; none where it is empty. PDF/A has a glyph for everything that it says, so there
        a replacement stands for each of them, and for control characters.
        """
        missing = self.missing(files["data.json"].decode())
        try:
            return self._print(files, missing, seconds_since_1970, standard), missing
        except typst.TypstError:
            if not standard:
                raise
            replaced = self._replacements(_texts(json.loads(files["data.json"])), standard)
            if not replaced:
                raise
        data = json.dumps(_with(json.loads(files["data.json"]), replaced), ensure_ascii=False).encode()
        missing = "".join(
            sorted({*missing, *(character for cluster in replaced for character in cluster if ord(character) > 0x17F)})
        )
        return self._print({**files, "data.json": data}, missing, seconds_since_1970, standard), missing

    def _print(self, files: dict[str, bytes], missing: str, seconds_since_1970: int, standard: str) -> bytes:
        pdf = _compile(
            files,
            format="pdf",
            font_paths=self._fonts,
            ignore_system_fonts=True,  # they are in `_fonts` already
            sys_inputs={"missing": missing},
            timestamp=seconds_since_1970,
            pdf_standards=[standard] if standard else [],
        )
        assert isinstance(pdf, bytes), "a document of many pages is one PDF"
        return pdf

    def _replacements(self, texts: Sequence[str], standard: str) -> dict[str, str]:
        """What takes the place of what cannot be printed: a character with the marks on it loses the marks, or is a box."""
        clusters = list(dict.fromkeys(cluster for text in texts for cluster in _clusters(text)))
        refused = self._refused(clusters, standard)
        plain = set(self._refused(list(dict.fromkeys(cluster[0] for cluster in refused)), standard))
        box = next(each for each in _BOXES if each == _BOXES[-1] or not self._refused([each], standard))
        return {cluster: box if cluster[0] in plain else cluster[0] for cluster in refused}

    def _refused(self, clusters: list[str], standard: str) -> list[str]:
        """Those that a document of this standard cannot have; found by halves, since a document says of one only that there is some."""
        if not clusters:
            return []
        files = {"main.typ": _EACH, "characters.json": json.dumps(clusters).encode()}
        try:
            _compile(files, format="pdf", font_paths=self._fonts, ignore_system_fonts=True, timestamp=0, pdf_standards=[standard])
        except typst.TypstError:
            half = len(clusters) // 2
            return clusters if not half else self._refused(clusters[:half], standard) + self._refused(clusters[half:], standard)
        return []

    def missing(self, text: str) -> str:
        """Characters of `text` that would be boxes, in the order of their code points."""
        wanted = {character for character in text if ord(character) > 0x17F and unicodedata.category(character)[0] not in "CZM"}
        unknown = sorted(wanted - self._printable.keys())[:_MOST_PROBED]
        if unknown:
            files = {"main.typ": _PROBE, "characters.json": json.dumps([_NOBODY_HAS, *unknown]).encode()}
            pages = _compile(files, format="svg", font_paths=self._fonts, ignore_system_fonts=True)
            assert isinstance(pages, list), "one page for each character"
            box, *others = pages
            self._printable.update((character, page != box) for character, page in zip(unknown, others, strict=True))
        return "".join(sorted(character for character in wanted if not self._printable.get(character, True)))


def _clusters(text: str) -> list[str]:
    """Characters, each with the marks and format characters that follow it."""
    found: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if found and (category[0] == "M" or category == "Cf"):
            found[-1] += character
        else:
            found.append(character)
    return found


def _texts(data: Any) -> list[str]:
    """Every text in it, names of fields left out."""
    if isinstance(data, dict):
        return [text for each in data.values() for text in _texts(each)]
    if isinstance(data, list):
        return [text for each in data for text in _texts(each)]
    return [data] if isinstance(data, str) else []


def _with(data: Any, replaced: dict[str, str]) -> Any:
    if isinstance(data, dict):
        return {name: _with(each, replaced) for name, each in data.items()}
    if isinstance(data, list):
        return [_with(each, replaced) for each in data]
    return "".join(replaced.get(cluster, cluster) for cluster in _clusters(data)) if isinstance(data, str) else data


def main() -> None:
    """Answer jobs (seconds allowed, creation time, standard, then name and content of each file) until the service hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which hangs up when it is done
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    press = Press([folder for folder in os.environ.get("LTC_PAPER_FONTS", "").split(os.pathsep) if folder])
    while True:
        try:
            seconds, created, standard, *named = read_parts(sys.stdin.buffer)
        except EOFError:
            return
        files = {name.decode(): content for name, content in zip(named[::2], named[1::2], strict=True)}
        signal.setitimer(signal.ITIMER_REAL, float(seconds))
        try:
            pdf, missing = press.print(files, int(created), standard.decode())
        except typst.TypstError as error:
            answer = [FAILED, f"{error.message}\n{error.diagnostic}".encode()]
        else:
            retiring = _peak_kb() > RETIRE_ABOVE_KB
            answer = [RETIRING if retiring else PRINTED, pdf, missing.encode()]
        signal.setitimer(signal.ITIMER_REAL, 0)
        write_parts(sys.stdout.buffer, answer)
        if answer[0] == RETIRING:
            return


def _length(stream: IO[bytes]) -> int:
    size: int = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    return size


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("the other side hung up")
    return content


def _peak_kb() -> int:
    """The most memory this process ever had. Not by `getrusage`: Linux counts there what the process that started it had."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
