"""The business verbs of delivery-svc, a module per aggregate: load, decide, save, emit."""
