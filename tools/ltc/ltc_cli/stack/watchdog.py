"""Stops a stack whose owner died without stopping it (Ctrl-C twice, kill -9): it reads a pipe that ends with the owner.

`python -m ltc_cli.stack.watchdog <home>`, standard input a pipe from the owner.
"""

import sys
from pathlib import Path

from ltc_cli.stack import processes, state


def main(home: Path) -> None:
    """Wait for the owner's end; whatever the state file still names then is killed."""
    sys.stdin.buffer.read()
    left = state.load(home) if home.exists() else None
    if left is None:
        return
    for known in reversed(list(left.processes.values())):
        processes.kill(known)
    state.forget(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
