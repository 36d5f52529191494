"""The examples of a README as tests run them: as they are printed, by a shell and curl."""

import asyncio
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HOST = re.compile(r"http://127\.0\.0\.1:[0-9]+")
# The status comes last, behind whatever the example itself prints.
_CURL = "curl() { command curl -sS -w '\\n%{http_code}' \"$@\"; }\n"


@dataclass(frozen=True, slots=True)
class Example:
    """One call with curl; `line` is where it begins. `path` is as printed, with its variables, without the query.

    It begins with `$URL` or `$ADDRESS` where an address is made for somebody outside, who calls it.
    """

    section: str
    line: int
    command: str

    @property
    def method(self) -> str:
        words = shlex.split(self.command)
        if "-X" in words:
            return words[words.index("-X") + 1]
        sends = {"-d", "-F", "--data-binary", "--data-urlencode"} & set(words)
        return "POST" if sends and "-G" not in words else "GET"

    @property
    def path(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:[0-9]+([^?\s\"']*)", self.command) or re.search(
            r"(\$(?:URL|ADDRESS)[^?\s\"']*)", self.command
        )
        assert found is not None, f"line {self.line}: a call to nowhere: {self.command}"
        return found[1]

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(re.findall(r"\$([A-Z_]+)", self.command))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an example got: the status, and what it printed."""

    status: int
    printed: str

    @property
    def is_success(self) -> bool:
        """Done, or sent on to another page."""
        return 200 <= self.status < 400

    @property
    def body(self) -> Any:
        return json.loads(self.printed)


def examples(readme: Path) -> list[Example]:
    """Every call in the order of the page. Raises AssertionError for a page on which code and text run into each other."""
    found: list[Example] = []
    section, command, begun, fenced = "", "", 0, False
    for number, line in enumerate(readme.read_text().splitlines(), 1):
        if line.startswith("```"):
            assert fenced or not command, f"{readme}:{number}: a block begins within a call"
            assert not (fenced and line != "```"), f"{readme}:{number}: a block begins before the one above has ended"
            fenced = not fenced
        elif not fenced:
            assert not line.startswith("curl "), f"{readme}:{number}: a call outside of a block"
            section = line.strip("# ") if line.startswith("#") else section
        elif command or line.startswith("curl "):
            begun = begun if command else number
            command += line + "\n"
            if _is_whole(command):
                found.append(Example(section, begun, command.strip()))
                command = ""
    assert not fenced, f"{readme}: the last block does not end"
    assert not command, f"{readme}:{begun}: a call does not end"
    return found


async def run(example: Example, address: str, variables: Mapping[str, str], folder: Path) -> Answer:
    """Run the call against the service at `address`, in `folder`, where its files lie."""
    script = _CURL + _HOST.sub(address, example.command)
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euc", script),
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await shell.communicate()
    printed, _, status = out.decode(errors="replace").rpartition("\n")
    assert status.isdigit(), f"line {example.line}: {example.command}\n{err.decode()}"
    return Answer(int(status), printed)


def _is_whole(command: str) -> bool:
    """Whether quotes are closed and the line does not go on."""
    if command.rstrip("\n").endswith("\\"):
        return False
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True
