"""What a KPI is, and which facts each is made of. Pure."""

from dataclasses import dataclass

DIMENSIONS = ("channel", "source", "campaign", "owner", "team", "region", "product", "segment", "country")
# The facts each number is made of, so that it can be opened to the events behind it.
_FULFILMENT = ("ordered", "changed", "cancelled", "handed", "returned", "delivered")
_MRR = tuple(f"mrr_{kind}" for kind in ("new", "expansion", "contraction", "churn", "reactivation"))
_RECEIVABLE = ("invoiced", "allocated", "unapplied", "credited", "refunded", "written_off", "recovered")
KINDS = {
    "funnel": ("lead", "qualified", "opportunity", "quoted", "won", "ordered", "delivered", "invoiced", "paid"),
    "lead_conversion_rate": ("lead", "opportunity"),
    "first_response_time": ("responded",),
    "first_response_in_time": ("responded", "breached"),
    "win_rate": ("won", "lost"),
    "deals": ("won", "lost"),
    "sales_cycle": ("won",),
    "order_processing_time": ("contracted", "ordered", "handed", "delivered"),
    "on_time_delivery": ("delivered",),
    "otif": _FULFILMENT,
    "on_time": _FULFILMENT,
    "in_full": _FULFILMENT,
    "on_time_collection": ("invoiced", "allocated", "unapplied", "credited", "written_off"),
    **dict.fromkeys(("outstanding", "ageing", "dso", "cei", "overdue_amount"), _RECEIVABLE),
    "days_to_pay": ("invoiced", "paid"),
    "collected": ("allocated", "unapplied", "credited", "refunded"),
    "credited": ("credited",),
    "invoiced": ("invoiced",),
    "marketing_spend": ("spend",),
    "cac": ("spend", "ordered"),
    "csat": ("csat", "csat_asked", "csat_answered"),
    "nps": ("nps", "nps_asked", "nps_answered"),
    "survey_response_rate": tuple(f"{kind}_{what}" for kind in ("csat", "nps", "research") for what in ("asked", "answered")),
    "mrr": _MRR,
    "mrr_movements": _MRR,
    "conservation_residual": (
        *("accepted", "contracted", "ordered", "changed", "handed", "returned", "delivered", "invoiced", "allocated", "credited"),
        *("unapplied", "written_off", "recovered"),
        *("refunded", "overdue", "paid", "settled", "cancelled", "closed"),
    ),
}


@dataclass(frozen=True, slots=True)
class Kpi:
    """One definition. Parameters of `sql`: window from, to, as of, known at, dimension ('' for all)."""

    name: str
    version: int
    unit: str
    definition: str
    sql: str
    kinds: tuple[str, ...]
