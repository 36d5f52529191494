"""One running service: its settings, clock, telemetry, database and verifier, and the loops that work for it."""

from dataclasses import dataclass, field

from ltc_chassis.auth import Verifier
from ltc_chassis.clock import Clock, parse_clock
from ltc_chassis.db import Database
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.telemetry import Telemetry


@dataclass(slots=True)
class Runtime:
    """What the parts of a service share.

    `not_ready` holds the reasons why the service should get no traffic; `broken` says why only a restart helps.
    """

    name: str
    package: str
    settings: ChassisSettings
    clock: Clock
    telemetry: Telemetry
    db: Database
    verifier: Verifier
    not_ready: dict[str, str] = field(default_factory=dict)
    broken: str | None = None

    @classmethod
    def create(cls, name: str, package: str, settings: ChassisSettings) -> "Runtime":
        clock = parse_clock(settings.clock, settings.clock_anchor)
        return cls(
            name=name,
            package=package,
            settings=settings,
            clock=clock,
            telemetry=Telemetry(f"{name}-svc", settings.otlp_endpoint),
            db=Database(settings, source=f"/{name}-svc", clock=clock),
            verifier=Verifier(settings.auth_public_key, issuer=settings.auth_issuer, audience=settings.auth_audience),
        )

    @property
    def group_id(self) -> str:
        """The consumer group: one per service, plus a suffix where two stacks share a broker."""
        return f"{self.name}-svc{self.settings.consumer_group_suffix}"
