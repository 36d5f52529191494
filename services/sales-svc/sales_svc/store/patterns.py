"""Patterns for LIKE."""

import re


def containing(text: str) -> str:
    """Matches what contains the text; its own `%`, `_` and backslashes stand for themselves."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
