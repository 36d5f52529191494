"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

from order_svc.api import orders

ROUTERS = (orders.router,)
