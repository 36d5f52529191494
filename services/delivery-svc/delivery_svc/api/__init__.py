"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

from delivery_svc.api import deliveries, inbound_mails, service_desk, ticket_erasures, ticket_pages, tickets

ROUTERS = (
    deliveries.router,
    tickets.router,
    service_desk.router,
    inbound_mails.router,
    ticket_erasures.router,
    ticket_pages.router,
)
