"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of metrics-svc: larger batches, since a batch is one transaction."""

    consumer_max_records: int = Field(default=5_000, ge=1, le=10_000)
