"""What every change of an invoice ends with."""

from collections.abc import Sequence

from ltc_chassis.db import Transaction
from ltc_contracts.events import Event

from billing_svc.domain.invoice import Invoice


def announce(tx: Transaction, invoice: Invoice, events: Sequence[Event]) -> None:
    """Tell what happened on the invoice's flow, under the version it made."""
    for event in events:
        tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version)
