"""The rules of delivery-svc, a module per aggregate. Pure: no IO, no clock, no random."""
