"""Every CSV that the suite writes passes what people wrote through `ltc_rules.tables.inert`: a spreadsheet runs no formula of theirs."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
# Read by the suite itself, and by nobody else.
INPUTS = {"tools/ltc/ltc_cli/company/made_up_leads.py"}


def test_who_writes_csv_writes_no_formulas() -> None:
    writers = {
        str(path.relative_to(ROOT)): text
        for folder in ("services", "libs", "tools", "contracts")
        for path in (ROOT / folder).rglob("*.py")
        if "/tests/" not in str(path) and ("csv.writer(" in (text := path.read_text()) or "csv.DictWriter(" in text)
    }
    assert len(writers) > len(INPUTS), "the search finds nothing; it looks in the wrong place"
    assert {name for name, text in writers.items() if "inert(" not in text} == INPUTS
