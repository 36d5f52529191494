"""Time in: no order waits for a moment yet; it moves by contract, delivery and payment alone."""

from ltc_chassis.timers import Timer

TIMERS: list[Timer] = []
