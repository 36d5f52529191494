"""What delivery-svc has beyond the chassis settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of delivery-svc."""

    # Days for which the bytes of mails that came in are kept.
    inbound_keep_days: int = Field(default=90, ge=1)
    # Days for which the link to the page of a ticket is good.
    portal_link_days: int = Field(default=90, ge=1, le=3650)
    # Days for which the link to follow a delivery is good.
    tracking_link_days: int = Field(default=180, ge=1, le=3650)
    # Facts that customers are told per second, by each replica: a rush of orders shall not wait for its mails.
    notices_per_s: int = Field(default=20, ge=1, le=1000)
    # Minutes past the day on which a production is needed that are no slip.
    production_tolerance_minutes: int = Field(default=120, ge=0, le=24 * 60)
    # Hours after which a production that should have begun, or be finished, and of which nothing is heard is for a person to look at.
    production_silence_hours: int = Field(default=24, ge=1, le=24 * 90)
    # Working days that a day has to spare which is promised anew because a production is late.
    production_days_in_hand: int = Field(default=1, ge=0, le=30)
