"""What mails to customers have in common: the greeting, who writes, and names on one line."""

from collections.abc import Mapping

from ltc_chassis import letterhead
from ltc_chassis.connection import Connection

_GREETING: Mapping[str, tuple[str, str]] = {"en": ("Dear {name},", "Good day,"), "zh": ("{name}：", "您好：")}


def on_one_line(text: str) -> str:
    """Without line breaks and other control characters, which a header cannot hold."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def greeting(language: str, name: str | None) -> str:
    """In English for a language that is not known."""
    named, unnamed = _GREETING.get(language, _GREETING["en"])
    return named.format(name=name) if name else unnamed


async def our_name(conn: Connection) -> str:
    """The company's name by its letterhead, on one line; empty where it has none."""
    head = await letterhead.load(conn)
    return on_one_line(head.content.name) if head is not None else ""
