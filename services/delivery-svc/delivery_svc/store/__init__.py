"""Every SQL statement of delivery-svc, a module per aggregate."""
