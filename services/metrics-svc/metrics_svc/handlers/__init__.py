"""The verbs of metrics: take in what happened."""
