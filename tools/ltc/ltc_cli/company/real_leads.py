"""How a customer would map the public file of 7,360 leads onto the importer, and which of them really converted."""

import csv
import io
import json
from pathlib import Path

MAPPING = {
    "external_ref": "Prospect ID",
    "source": "Lead Source",
    "channel": "Lead Origin",
    "country": "Country",
    "activities.pricing_page": "TotalVisits",
    "activities.form": "A free copy of Mastering The Interview",
}
NULLS = ["Select", "", "unknown", "Asia/Pacific Region"]
DEFAULTS = {"source": "unknown", "channel": "unknown"}


def form_fields() -> dict[str, str]:
    """The importer's form fields beside the file."""
    return {"mapping": json.dumps(MAPPING), "nulls": json.dumps(NULLS), "defaults": json.dumps(DEFAULTS)}


def converted_refs(path: Path) -> list[str]:
    """External references of the leads that became customers in reality, in the file's order."""
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    return [row["Prospect ID"] for row in rows if row["Converted"] == "1"]
