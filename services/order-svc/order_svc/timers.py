"""Time in: held orders are looked at again, and steps that take too long are told."""

from ltc_chassis.timers import Timer

from order_svc.handlers import acceptance, process

TIMERS: list[Timer] = [
    Timer("held orders", acceptance.look_again),
    Timer("late steps", process.tell_late, every=1.0),
]
