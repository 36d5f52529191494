"""Settings every service has. Values come from the environment, prefix `LTC_`; secrets by reference to a file."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ChassisSettings(BaseSettings):
    """A service subclasses this with only what differs."""

    model_config = SettingsConfigDict(env_prefix="LTC_", extra="ignore", frozen=True)

    postgres_dsn: str
    pool_size: int = Field(default=10, ge=2, le=100)
    # Behind a transaction pooler statements cannot be cached, and advisory locks need their own way in.
    statement_cache_size: int = Field(default=200, ge=0)
    postgres_direct_dsn: str = ""

    kafka_bootstrap: str = ""
    relay: Literal["inprocess", "external"] = "inprocess"
    relay_shards: int = Field(default=4, ge=1, le=64)
    consumer_group_suffix: str = ""
    # How long a killed member keeps its partitions: short for quick recovery, long against false alarms.
    consumer_session_timeout_s: float = Field(default=30.0, ge=6, le=300)
    consumer_max_records: int = Field(default=500, ge=1, le=10_000)

    parked_max_attempts: int = Field(default=8, ge=1)
    parked_first_delay_s: float = Field(default=0.5, gt=0)
    parked_longest_delay_s: float = Field(default=60.0, gt=0)
    not_yet_deadline_s: float = Field(default=600.0, gt=0)
    # Longer than topic retention plus the longest redrive: within it, a repeated event has no second effect.
    inbox_keep_days: int = Field(default=120, ge=1)

    # Where this service is reached by people outside, for links in mails and on pages: https://sales.example.com
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$")
    secrets_dir: Path | None = None
    # How many proxies of ours stand in front: so many entries of X-Forwarded-For, from the right, are believed.
    trusted_proxies: int = Field(default=0, ge=0, le=10)

    auth_public_key: Path
    auth_issuer: str = "ltc-dev"
    auth_audience: str = "ltc"

    clock: str = ""
    clock_anchor: str = ""
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)

    @property
    def direct_dsn(self) -> str:
        return self.postgres_direct_dsn or self.postgres_dsn
