"""What order-svc has beyond the chassis settings: nothing; its rules are rows (`promise_rule`)."""

from ltc_chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    """The chassis settings as they are."""
