"""docs/problems.md is a release's word to callers; whoever adds a refusal writes it anew with `make problems`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_page_of_problems_is_what_the_code_answers() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.house.problems", "check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
