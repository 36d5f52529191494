"""Settings every service has. Values come from the environment, prefix `LTC_`; secrets by reference to a file."""

from email.utils import parseaddr
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
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
    # A fetch is answered when there is so much, or after so long: the less often, the less each record costs.
    consumer_fetch_bytes: int = Field(default=1, ge=1, le=10 * 1024 * 1024)
    consumer_fetch_wait_s: float = Field(default=0.5, gt=0, le=5)

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

    # Mails wait while there is no host. The password is the secret of the name given; it never crosses an unprotected line.
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_ca_file: Path | None = None
    smtp_user: str = ""
    smtp_password_secret: str = "smtp-password"  # noqa: S105 - a name
    smtp_timeout_s: float = Field(default=30.0, gt=0, le=300)
    smtp_per_run: int = Field(default=100, ge=1, le=10_000)
    smtp_per_s: float = Field(default=10.0, gt=0)
    smtp_max_attempts: int = Field(default=8, ge=1)
    smtp_first_delay_s: float = Field(default=60.0, ge=0)
    smtp_longest_delay_s: float = Field(default=14_400.0, ge=0)
    mail_from: str = ""  # `Sales <sales@example.com>`
    mail_keep_days: int = Field(default=365, ge=1)

    auth_public_key: Path
    auth_issuer: str = "ltc-dev"
    auth_audience: str = "ltc"

    clock: str = ""
    clock_anchor: str = ""
    log_level: str = "INFO"
    otlp_endpoint: str = ""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)

    @model_validator(mode="after")
    def _mail_can_be_sent(self) -> Self:
        if self.smtp_host and "@" not in parseaddr(self.mail_from)[1]:
            raise ValueError("LTC_SMTP_HOST needs LTC_MAIL_FROM, like `Sales <sales@example.com>`")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("a password is not sent over an unprotected line: LTC_SMTP_SECURITY must be starttls or tls")
        return self

    @property
    def direct_dsn(self) -> str:
        return self.postgres_direct_dsn or self.postgres_dsn
