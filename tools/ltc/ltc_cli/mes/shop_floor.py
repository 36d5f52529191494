"""The shop floor as a simulation of discrete events, without clock, IO or hidden chance.

Whatever happens to a job is drawn from the seed, the job and how much of it is made, and every event is reported. So the last report of
each job is all its state: a shop floor that is built anew from orders and reports goes on exactly where it was.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Literal
from uuid import UUID

from ltc_contracts.events import JobState, MesProductionProgressed, ProductionOrdered

NONE = Decimal(0)
_OPEN: frozenset[JobState] = frozenset({"NotAllowedToStart", "AllowedToStart", "Running", "Interrupted"})
_LOTS = 10
# Nothing takes longer than a year, and nothing further than 20 is foreseen: any quantity that can be ordered ends some day.
_LONGEST, _FORESEEN = timedelta(366), timedelta(20 * 366)
_TROUBLE = ("tool broken", "waiting for material", "operator missing", "out of tolerance, set up anew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """How the shop floor works. Rates are per lot, 0 to 1; a job is made in at most ten lots."""

    seed: int = 1
    work_centers: int = 3
    parallel_jobs: int = 1
    minutes_per_piece: float = 6.0
    slip_rate: float = 0.05
    slip_hours: tuple[float, float] = (4.0, 72.0)
    scrap_rate: float = 0.05
    # Material for so much more than ordered; when it is used up a job ends short.
    spare_percent: int = 10
    # An expectation of a job that waits is told anew when it moved by so much.
    retell: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job order on the shop floor. `next_at` is when its lot or its trouble ends."""

    order: ProductionOrdered
    revision: int
    arrived_at: datetime
    work_center: str
    state: JobState = "AllowedToStart"
    good: Decimal = NONE
    scrap: Decimal = NONE
    started_at: datetime | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    expected_end: datetime | None = None
    reports: int = 0

    @property
    def id(self) -> UUID:
        return self.order.production_id

    @property
    def made(self) -> Decimal:
        return self.good + self.scrap


@dataclass(slots=True)
class ShopFloor:
    """Takes orders, lives to a moment, and hands over what there is to report, in the order in which it happened.

    `jobs` are the open ones.
    """

    shop: Shop
    now: datetime
    jobs: dict[UUID, Job] = field(default_factory=dict)
    ended: set[UUID] = field(default_factory=set)
    cancelled: set[UUID] = field(default_factory=set)
    _reports: list[MesProductionProgressed] = field(default_factory=list)

    def restore(
        self,
        orders: Iterable[tuple[ProductionOrdered, int, datetime]],
        cancelled: Iterable[UUID],
        reports: Iterable[MesProductionProgressed],
    ) -> None:
        """Go on from what was reported. Orders with revision and moment; the latest report of a job counts."""
        self.cancelled.update(cancelled)
        last: dict[UUID, MesProductionProgressed] = {}
        for report in reports:
            known = last.get(report.production_id)
            if known is None or (report.as_of, report.sequence) > (known.as_of, known.sequence):
                last[report.production_id] = report
            self.now = max(self.now, report.as_of)
        waiting = []
        for order, revision, at in orders:
            told = last.get(order.production_id)
            if told is None:
                waiting.append((order, revision, at))
            elif told.state not in _OPEN:
                self.ended.add(order.production_id)
            elif revision > self._revision(order.production_id):
                self._keep(self._resumed(order, revision, at, told))
        for job in list(self.jobs.values()):
            if job.id in self.cancelled:
                self._end(job, self.now, "Aborted", "cancelled")
            elif job.good >= job.order.quantity:
                self._end(job, self.now, "Ended", "fewer are wanted")
        self._start_waiting(self.now)
        for order, revision, at in sorted(waiting, key=lambda each: (each[2], each[1])):
            self.order(order, revision, at)

    def order(self, order: ProductionOrdered, revision: int, at: datetime) -> None:
        """A job order, new or changed. An older revision than known, and one that is cancelled or has ended, changes nothing."""
        self.live_until(at)
        known = self.jobs.get(order.production_id)
        if order.production_id in self.cancelled | self.ended or revision <= self._revision(order.production_id):
            return
        if known is None:
            center = f"WC-{1 + _number(order.sku) % self.shop.work_centers}"
            job = Job(order=order, revision=revision, arrived_at=self.now, work_center=center)
            self.jobs[job.id] = job
            self._tell(job, self.now)
        else:
            changed = self._keep(replace(known, order=order, revision=revision))
            if changed.good >= order.quantity:
                self._end(changed, self.now, "Ended", "fewer are wanted")
            elif changed.state == "Running":
                self._work(changed, self.now)  # set up anew, so that the report of it says all there is to know
            elif changed.state == "Interrupted":
                self._interrupt(changed, self.now)
            else:
                self._tell(changed, self.now)
        self._start_waiting(self.now)

    def cancel(self, production_id: UUID, at: datetime) -> None:
        """Not wanted any more, also when the order comes later than its cancellation."""
        self.live_until(at)
        self.cancelled.add(production_id)
        job = self.jobs.get(production_id)
        if job is not None:
            self._end(job, self.now, "Aborted", "cancelled")
            self._start_waiting(self.now)

    def live_until(self, moment: datetime) -> None:
        """Everything that happens until then happens, the earliest first."""
        while True:
            due = [job for job in self.jobs.values() if job.next_at is not None and job.next_at <= moment]
            if not due:
                break
            job = min(due, key=lambda each: (each.next_at or moment, each.id))
            assert job.next_at is not None
            self._happen(job, job.next_at)
            self._start_waiting(job.next_at)
            self.now = max(self.now, job.next_at)
        self.now = max(self.now, moment)

    def reports(self) -> list[MesProductionProgressed]:
        """What was not handed over yet."""
        told, self._reports = self._reports, []
        return told

    def _happen(self, job: Job, at: datetime) -> None:
        """A lot is made, or trouble is over."""
        if job.state == "Interrupted":
            self._work(replace(job, state="Running"), at)
            return
        lot = _lot(job)
        scrap = NONE
        if self._draw(job, "scrap") < self.shop.scrap_rate:
            scrap = _part(lot, Decimal("0.2"))
        job = self._keep(replace(job, good=job.good + lot - scrap, scrap=job.scrap + scrap))
        if job.good >= job.order.quantity:
            self._end(job, at, "Ended", None)
        elif job.made >= job.order.quantity + _part(job.order.quantity, Decimal(self.shop.spare_percent) / 100):
            self._end(job, at, "Ended", "out of material")
        elif self._draw(job, "slip") < self.shop.slip_rate:
            self._interrupt(job, at)
        else:
            self._work(job, at)

    def _work(self, job: Job, at: datetime) -> None:
        """The next lot begins."""
        self._tell(self._keep(replace(job, next_at=at + self._lot_time(job))), at)

    def _interrupt(self, job: Job, at: datetime) -> None:
        job = self._keep(replace(job, state="Interrupted", next_at=at + self._trouble_time(job)))
        self._tell(job, at, _TROUBLE[int(self._draw(job, "trouble") * len(_TROUBLE))])

    def _end(self, job: Job, at: datetime, state: Literal["Ended", "Aborted"], reason: str | None) -> None:
        self._tell(replace(job, state=state, ended_at=at, next_at=None), at, reason)
        del self.jobs[job.id]
        self.ended.add(job.id)

    def _start_waiting(self, at: datetime) -> None:
        """Work centers that have room begin what is most urgent; who waits on is told when that takes much longer, or less."""
        for center in sorted({job.work_center for job in self.jobs.values()}):
            here = [job for job in self.jobs.values() if job.work_center == center]
            room = self.shop.parallel_jobs - sum(job.state in ("Running", "Interrupted") for job in here)
            queue = _queue(here)
            for job in queue[: max(0, room)]:
                self._work(replace(job, state="Running", started_at=at), at)
            for job in queue[max(0, room) :]:
                expected = self._expected_end(job, at)
                if job.expected_end is not None and abs(expected - job.expected_end) >= self.shop.retell:
                    later = expected > job.expected_end
                    self._tell(job, at, "jobs before it take longer" if later else None)

    def _tell(self, job: Job, at: datetime, reason: str | None = None) -> None:
        expected = self._expected_end(job, at) if job.state in _OPEN else None
        job = self._keep(replace(job, expected_end=expected, reports=job.reports + 1))
        self._reports.append(
            MesProductionProgressed(
                production_id=job.id,
                state=job.state,
                quantity_good=job.good,
                quantity_scrap=job.scrap,
                as_of=at,
                sequence=job.reports,
                segment="make",
                work_center=job.work_center,
                actual_start=job.started_at,
                actual_end=job.ended_at,
                expected_end=expected,
                reason=reason,
            )
        )

    def _expected_end(self, job: Job, at: datetime) -> datetime:
        """By the nominal times of what is made before it and of its own rest; chance is not foreseen."""
        own = self._nominal(job.order.quantity - job.good)
        if job.state == "Interrupted":
            return (job.next_at or at) + own
        if job.state == "Running":
            return at + own
        here = [other for other in self.jobs.values() if other.work_center == job.work_center]
        queue = _queue(here)
        before = [other for other in here if other.state in ("Running", "Interrupted")] + queue[: queue.index(job)]
        waits = sum((self._nominal(other.order.quantity - other.good) for other in before), timedelta())
        waits += sum((max(timedelta(), (o.next_at or at) - at) for o in before if o.state == "Interrupted"), timedelta())
        return at + min(waits / self.shop.parallel_jobs + own, _FORESEEN)

    def _resumed(self, order: ProductionOrdered, revision: int, at: datetime, told: MesProductionProgressed) -> Job:
        known = self.jobs.get(order.production_id)
        job = Job(
            order=order,
            revision=revision,
            arrived_at=min(at, known.arrived_at) if known else at,  # a change keeps the place in the queue
            work_center=told.work_center or "WC-1",
            state=told.state,
            good=told.quantity_good,
            scrap=told.quantity_scrap,
            started_at=told.actual_start,
            ended_at=told.actual_end,
            expected_end=told.expected_end,
            reports=told.sequence,
        )
        if told.state == "Running":
            return replace(job, next_at=told.as_of + self._lot_time(job))
        if told.state == "Interrupted":
            return replace(job, next_at=told.as_of + self._trouble_time(job))
        return job

    def _revision(self, production_id: UUID) -> int:
        known = self.jobs.get(production_id)
        return -1 if known is None else known.revision

    def _keep(self, job: Job) -> Job:
        self.jobs[job.id] = job
        return job

    def _nominal(self, quantity: Decimal) -> timedelta:
        return min(_LONGEST, timedelta(minutes=min(float(max(NONE, quantity)) * self.shop.minutes_per_piece, 1e6)))

    def _lot_time(self, job: Job) -> timedelta:
        return self._nominal(_lot(job)) * (0.8 + 0.4 * self._draw(job, "speed"))

    def _trouble_time(self, job: Job) -> timedelta:
        shortest, longest = self.shop.slip_hours
        return timedelta(hours=shortest + (longest - shortest) * self._draw(job, "length"))

    def _draw(self, job: Job, what: str) -> float:
        """0 to 1, the same whenever and by whomever it is asked."""
        return Random(f"{self.shop.seed}/{job.id}/{what}/{job.made.normalize():f}").random()


def _queue(jobs: list[Job]) -> list[Job]:
    waiting = [job for job in jobs if job.state in ("NotAllowedToStart", "AllowedToStart")]
    return sorted(waiting, key=lambda job: (-job.order.priority, job.arrived_at, job.id))


def _lot(job: Job) -> Decimal:
    """What is made next: a tenth, in whole pieces where whole pieces are ordered."""
    return min(_part(job.order.quantity, Decimal(1) / _LOTS), job.order.quantity - job.good)


def _part(quantity: Decimal, share: Decimal) -> Decimal:
    """A share, never nothing; whole pieces of whole pieces."""
    exact = quantity * share
    if quantity == quantity.to_integral_value():
        return Decimal(max(1, math.ceil(exact)))
    return max(Decimal("0.000001"), exact.quantize(Decimal("0.000001")))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
