"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

from order_svc.api import checkout, credit, orders, process, stock

ROUTERS = (checkout.router, orders.router, process.router, credit.router, stock.router)
