"""What differs from the chassis' settings."""

from ltc_chassis.settings import ChassisSettings
from pydantic import Field


class Settings(ChassisSettings):
    """Settings of lead-svc."""

    # How long a visit of nobody we know is remembered, in days of the business clock.
    visit_keep_days: int = Field(default=395, ge=1)
    # How long a copy of a person's data can be downloaded, in days of the business clock.
    privacy_file_days: int = Field(default=14, ge=1, le=90)
    # Hosts (`name` or `name:port`) beside those of ad platforms from which answers of leads may be fetched, by http, too.
    capture_fetch_hosts: str = ""
