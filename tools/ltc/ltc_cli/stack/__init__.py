"""The dev stack: a real PostgreSQL, a real Apache Kafka, and the six services, as processes of this machine."""

from ltc_cli.stack.errors import StackError
from ltc_cli.stack.stack import Stack

__all__ = ["Stack", "StackError"]
