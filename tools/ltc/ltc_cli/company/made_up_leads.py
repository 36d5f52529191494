"""Leads for the demo where no real data is given: a CSV as marketing would hand it over, with two rows that cannot be taken."""

import csv
import io
import json
import random

from ltc_cli.company.front_office import CAMPAIGNS

_FIRST = ("Nord", "Alpen", "Rhein", "Baltic", "Metro", "Silva", "Terra", "Astra", "Vega", "Kepler", "Lumen", "Orion")
_SECOND = ("Logistik", "Pharma", "Werke", "Software", "Energie", "Handel", "Textil", "Optik", "Robotik", "Bau")
_SOURCES = ("Google", "LinkedIn", "Trade fair", "Referral", "Organic search")
_INDUSTRIES = ("manufacturing", "software", "retail", "health")
_COUNTRIES = ("DE", "FR", "IT", "AT", "NL")


def company_name(dice: random.Random, number: int) -> str:
    """A plausible name, unique by its number."""
    return f"{dice.choice(_FIRST)} {dice.choice(_SECOND)} {number} GmbH"


def as_csv(count: int, dice: random.Random) -> tuple[bytes, dict[str, str]]:
    """`count` good rows and two bad ones, and the importer's form fields."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(
        ["Ref", "Company", "Country", "Origin", "Source", "Industry", "Employees", "Campaign", "Person", "Mail", "Demo requested"]
    )
    for number in range(count):
        table.writerow(
            [
                f"demo-{number:05d}",
                company_name(dice, number),
                dice.choice(_COUNTRIES),
                dice.choice(("web", "event", "partner")),
                dice.choice(_SOURCES),
                dice.choice(_INDUSTRIES),
                dice.choice((12, 80, 450, 2200)),
                dice.choice(CAMPAIGNS).code,
                f"Kim {_SECOND[number % len(_SECOND)]}",
                f"kim@company-{number}.example",
                int(dice.random() < 0.1),
            ]
        )
    table.writerow(["demo-bad-1", "Nowhere Ltd", "Atlantis", "web", "Google", "retail", "10", "", "", "", "0"])
    table.writerow(["demo-bad-2", "Many People Inc", "DE", "web", "Google", "retail", "a lot", "", "", "", "0"])
    mapping = {
        "external_ref": "Ref",
        "company": "Company",
        "country": "Country",
        "channel": "Origin",
        "source": "Source",
        "industry": "Industry",
        "company_size": "Employees",
        "campaign": "Campaign",
        "contact.name": "Person",
        "contact.email": "Mail",
        "activities.demo_request": "Demo requested",
    }
    return out.getvalue().encode(), {"mapping": json.dumps(mapping)}
