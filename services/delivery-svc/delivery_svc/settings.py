"""What delivery-svc has beyond the chassis settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of delivery-svc."""

    # Days for which the bytes of mails that came in are kept.
    inbound_keep_days: int = Field(default=90, ge=1)
    # Days for which the link to the page of a ticket is good.
    portal_link_days: int = Field(default=90, ge=1, le=3650)
