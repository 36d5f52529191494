"""What delivery-svc has beyond the chassis settings."""

from ltc_chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """Settings of delivery-svc."""

    # Days for which the bytes of mails that came in are kept.
    inbound_keep_days: int = 90
