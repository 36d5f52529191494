"""Time in: no delivery waits for a moment yet; people report what was done."""

from ltc_chassis.timers import Timer

TIMERS: list[Timer] = []
