"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

from delivery_svc.api import (
    deliveries,
    fulfilment,
    handovers,
    inbound_mails,
    productions,
    proofs,
    returns,
    service_desk,
    survey_asks,
    survey_pages,
    survey_results,
    surveys,
    ticket_erasures,
    ticket_pages,
    tickets,
)

ROUTERS = (
    deliveries.router,
    handovers.router,
    proofs.router,
    returns.router,
    fulfilment.router,
    productions.router,
    tickets.router,
    service_desk.router,
    inbound_mails.router,
    surveys.router,
    survey_asks.router,
    survey_results.router,
    ticket_erasures.router,
    ticket_pages.router,
    survey_pages.router,
)
