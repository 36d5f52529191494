"""The rules of order-svc, a module per aggregate. Pure: no IO, no clock, no random."""
