"""What differs from the chassis' settings: nothing yet."""

from ltc_chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """Settings of sales-svc."""
