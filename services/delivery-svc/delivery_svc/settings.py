"""What delivery-svc has beyond the chassis settings: nothing."""

from ltc_chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """The chassis settings as they are."""
