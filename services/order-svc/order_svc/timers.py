"""Time in: held orders are looked at again, steps that take too long are told, and subscriptions go on."""

from ltc_chassis.timers import Timer

from order_svc.handlers import acceptance, process, subscription

TIMERS: list[Timer] = [
    Timer("held orders", acceptance.look_again),
    Timer("late steps", process.tell_late, every=1.0),
    Timer("subscriptions", subscription.go_on, every=1.0),
    Timer("cancelled orders of subscriptions", subscription.take_back_orders, every=1.0),
]
