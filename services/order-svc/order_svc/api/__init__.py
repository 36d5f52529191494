"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

from order_svc.api import changes, checkout, credit, order_page, orders, process, stock, subscription

ROUTERS = (
    *(checkout.router, orders.router, changes.router, order_page.router, process.router, credit.router, stock.router),
    subscription.router,
)
