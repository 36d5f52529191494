"""The rules of the house that no other tool checks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Written so that this file does not match itself.
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "repo1?" + r"\.maven", "deb" + r"\.debian"))
)
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base"}


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_python_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): n
        for path in tracked()
        if path.suffix == ".py" and (n := len(text_of(path).splitlines())) > 400
    }
    assert not long


def test_no_module_has_a_name_that_explains_nothing() -> None:
    assert not [path for path in tracked() if path.suffix == ".py" and (path.stem in VAGUE or path.parent.name in VAGUE)]


def test_no_file_names_a_package_registry() -> None:
    assert not [path for path in tracked() if REGISTRIES.search(text_of(path))]


def test_no_file_carries_a_path_of_the_machine_it_was_written_on() -> None:
    home = str(ROOT)
    if len(ROOT.parts) < 3:
        pytest.fail("the check needs a checkout that lies deeper than the root folder")
    assert not [path for path in tracked() if home in text_of(path)]


def test_every_service_has_the_same_rooms() -> None:
    for service in sorted((ROOT / "services").glob("*-svc")):
        package = service / service.name.replace("-", "_")
        for room in ("app.py", "settings.py", "migrations"):
            assert (package / room).exists(), f"{service.name} lacks {room}"
        for room in ("api", "consumers", "handlers", "domain", "store", "tests"):
            assert (package / room).is_dir() or (package / f"{room}.py").exists(), f"{service.name} lacks {room}"
        assert len(text_of(package / "app.py").splitlines()) <= 60, f"{service.name}: app.py is a table of contents"
        assert len(text_of(package / "settings.py").splitlines()) <= 30, f"{service.name}: settings.py"
        assert (service / "README.md").exists()


def test_every_timer_that_is_written_runs() -> None:
    for path in sorted((ROOT / "services").glob("*-svc/*_svc/timers.py")):
        text = text_of(path)
        written, lists = (
            set(re.findall(r"^async def ([a-z]\w*)\(", text, re.MULTILINE)),
            re.findall(r"^TIMERS\b", text, re.MULTILINE),
        )
        run = set(re.findall(r"(?:Timer|Errand)\(\s*\"[^\"]+\",\s*(\w+)", text))
        assert len(lists) == 1, f"{path.relative_to(ROOT)}: a second list hides the first"
        assert written <= run, f"{path.relative_to(ROOT)}: {written - run} never run"


def test_every_decision_is_one_page_with_the_four_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
    for record in records:
        text = text_of(record)
        for part in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert part in text, f"{record.name} lacks {part}"
        assert len(text.splitlines()) <= 60, f"{record.name} is longer than a page"


def test_sql_is_never_built_from_strings() -> None:
    pattern = re.compile(r"(execute|fetch|fetchrow|fetchval)\(\s*f[\"']")
    excused = {"inbox.py", "scratch.py"}  # names of partitions and of test databases: DDL takes no parameters
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py" and "tests" not in path.parts and path.name not in excused and pattern.search(text_of(path))
    ]
    assert not [path for path in found if "ltc_cli/stack" not in path]


def test_every_test_named_in_the_coverage_table_exists() -> None:
    rows = re.findall(r"^\| ([A-Z][0-9]+) \| [^|]+ \| ([^|]*)\|$", text_of(ROOT / "docs" / "coverage.md"), re.MULTILINE)
    assert rows
    for capability, tests in rows:
        for path, name in re.findall(r"`([^`:]+)::([a-z_0-9]+)`", tests):
            assert re.search(rf"^(async )?def {name}\(", text_of(ROOT / path), re.MULTILINE), f"{capability}: no {path}::{name}"
