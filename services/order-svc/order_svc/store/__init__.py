"""Every SQL statement of order-svc, a module per aggregate."""
