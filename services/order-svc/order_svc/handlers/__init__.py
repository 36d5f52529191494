"""The business verbs of order-svc, a module per aggregate: load, decide, save, emit."""
