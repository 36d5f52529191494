"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of lead-svc. Imports are uploads of up to 20 MB."""

    max_body_bytes: int = Field(default=21 * 1024 * 1024, ge=1024)
    # How long a visit of nobody we know is remembered, in days of the business clock.
    visit_keep_days: int = Field(default=395, ge=1)
