"""What every service stands on: app, database, outbox, inbox, parking, consumer, timers, auth, errors, telemetry.

No business word lives here: a change in the chassis cannot change a business result.
"""
