"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of sales-svc. Imports are uploads of up to 20 MB."""

    max_body_bytes: int = Field(default=21 * 1024 * 1024, ge=1024)
