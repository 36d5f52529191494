"""The signed link by which a customer reads and answers a ticket, until it expires."""

from datetime import datetime, timedelta
from uuid import UUID

from ltc_chassis import links
from ltc_chassis.db import Transaction

from delivery_svc.domain.ticket import Ticket
from delivery_svc.settings import Settings

PURPOSE = "ticket.portal"


def token_of(tx: Transaction, ticket: Ticket) -> tuple[str, datetime]:
    """A link for this ticket, and until when it is good. Raises `SecretMissing`."""
    expires_at = tx.now + timedelta(days=tx.settings_as(Settings).portal_link_days)
    return links.sign(links.keys(tx.settings), purpose=PURPOSE, subject=str(ticket.id), expires_at=expires_at), expires_at


def address_of(tx: Transaction, ticket: Ticket) -> tuple[str, datetime]:
    """Raises `PublicAddressMissing`, `SecretMissing`."""
    token, expires_at = token_of(tx, ticket)
    return links.address(tx.settings, f"/s/{token}"), expires_at


def verified(tx: Transaction, token: str) -> UUID:
    """The ticket of a link. Raises `LinkInvalid`, `LinkExpired`."""
    return UUID(links.verify(links.keys(tx.settings), token, purpose=PURPOSE, now=tx.now).subject)
