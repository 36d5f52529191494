"""billing-svc: invoices, payments, the ledger."""

from fastapi import FastAPI
from ltc_chassis import letterhead
from ltc_chassis.app import Service, build

from billing_svc import consumers, timers
from billing_svc.api import (
    audit,
    bank_statements,
    cash_application,
    credits,
    disputes,
    documents,
    drafts,
    dunning,
    exchange_rates,
    imports,
    instalments,
    invoices,
    journal_exports,
    ledger,
    manual_entries,
    payments,
    periods,
    person_copies,
    provider_hooks,
    receivables,
    refunds,
    statements,
    taxes,
    usage,
    valuations,
    voids,
    write_offs,
)
from billing_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="billing",
            package="billing_svc",
            settings=settings or Settings(),
            routers=[
                *(invoices.router, drafts.router, voids.router, documents.router, usage.router),
                *(credits.router, disputes.router, write_offs.router, instalments.router, letterhead.routes()),
                # `/payments/review` comes before `/payments/{payment_id}`.
                *(cash_application.router, bank_statements.router, payments.router, refunds.router),
                *(ledger.router, manual_entries.router, periods.router, audit.router, journal_exports.router),
                *(exchange_rates.router, valuations.router, taxes.router, provider_hooks.router, provider_hooks.public),
                *(imports.router, receivables.router, statements.router, dunning.router, person_copies.router),
            ],
            consumers=consumers.consumers,
            timers=[*timers.TIMERS, *timers.CASH],
            mails=True,
        )
    )
