"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of lead-svc."""

    # How long a visit of nobody we know is remembered, in days of the business clock.
    visit_keep_days: int = Field(default=395, ge=1)
