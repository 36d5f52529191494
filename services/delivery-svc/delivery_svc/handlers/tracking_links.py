"""The signed link by which a customer follows a delivery, until it expires."""

from datetime import datetime, timedelta
from uuid import UUID

from ltc_chassis import links
from ltc_chassis.db import Transaction

from delivery_svc.settings import Settings

PURPOSE = "delivery.track"


def address_of(tx: Transaction, delivery_id: UUID) -> tuple[str, datetime]:
    """A link, and until when it is good. Raises `PublicAddressMissing`, `SecretMissing`."""
    expires_at = tx.now + timedelta(days=tx.settings_as(Settings).tracking_link_days)
    token = links.sign(links.keys(tx.settings), purpose=PURPOSE, subject=str(delivery_id), expires_at=expires_at)
    return links.address(tx.settings, f"/t/{token}"), expires_at


def verified(tx: Transaction, token: str) -> UUID:
    """The delivery of a link. Raises `LinkInvalid`, `LinkExpired`."""
    return UUID(links.verify(links.keys(tx.settings), token, purpose=PURPOSE, now=tx.now).subject)
