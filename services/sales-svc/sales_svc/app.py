"""sales-svc: from a qualified lead to a signed contract."""

from fastapi import FastAPI
from ltc_chassis import custom_fields, letterhead
from ltc_chassis.app import Service, build

from sales_svc import consumers, timers
from sales_svc.api import (
    accounts,
    activities,
    approvals,
    catalogue,
    clauses,
    commission_plans,
    commissions,
    contacts,
    contract_pages,
    contract_proofs,
    contracts,
    imports,
    opportunities,
    pipelines,
    policy,
    prices,
    quotes,
    renewals,
)
from sales_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="sales",
            package="sales_svc",
            settings=settings or Settings(),
            routers=[
                accounts.router,
                contacts.router,
                activities.router,
                pipelines.router,
                policy.router,
                opportunities.router,
                quotes.router,
                approvals.router,
                clauses.router,
                contracts.router,
                contract_proofs.router,
                contract_pages.router,
                renewals.router,
                commissions.router,
                commission_plans.router,
                imports.router,
                custom_fields.routes(entities=("account", "opportunity", "quote")),
                catalogue.router,
                prices.router,
                letterhead.routes(),
            ],
            consumers=consumers.consumers,
            timers=timers.TIMERS,
            mails=True,
        )
    )
