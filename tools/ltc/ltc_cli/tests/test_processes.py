"""Processes are gone when they have ended, whoever started them."""

import signal
import subprocess
import sys
import time

import psutil

from ltc_cli.stack import processes

_PARENT = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"


def test_another_process_child_that_nobody_reaps_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        began = time.monotonic()
        processes.stop({"pid": pid, "created": psutil.Process(pid).create_time()}, by=signal.SIGTERM, patience_s=30)
        assert time.monotonic() - began < 10
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        parent.kill()
