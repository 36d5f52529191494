"""What order-svc has beyond the chassis settings; its rules are rows (`promise_rule`, `process_policy`)."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of order-svc."""

    # Hours for which an assessment can be confirmed.
    assessment_hours: int = Field(default=24, ge=1, le=24 * 365)
