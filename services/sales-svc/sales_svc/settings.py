"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """Settings of sales-svc."""
