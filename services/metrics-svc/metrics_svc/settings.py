"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of metrics-svc: larger batches, since a batch is one transaction and a fetch asks for every topic; numbers
    may be a moment late."""

    consumer_max_records: int = Field(default=5_000, ge=1, le=10_000)
    consumer_fetch_bytes: int = Field(default=256 * 1024, ge=1, le=10 * 1024 * 1024)
    consumer_fetch_wait_s: float = Field(default=0.25, gt=0, le=5)
