"""Errors as they may be logged: where it went wrong and what kind of thing it was, without the values that it went wrong with.

A database says which row failed, a validator quotes its input: names and addresses of persons would stand in logs for months.
"""

import traceback
from types import TracebackType

import asyncpg
from ltc_contracts.errors import DomainError
from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

# Errors whose text is about the code or the machine. A ValueError or KeyError quotes what it was given.
_TELLING = (
    AttributeError,
    ImportError,
    IndexError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    asyncpg.InterfaceError,
)
_MOST = 10


def logged(error: BaseException) -> str:
    """The error in a line."""
    name = type(error).__name__
    if isinstance(error, DomainError):
        return f"{name} {error.slug()}{f' in {error.field}' if error.field else ''}"
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST]
        return f"{name}: " + "; ".join(f"{'.'.join(map(str, each['loc']))} {each['type']}" for each in found)
    if isinstance(error, asyncpg.PostgresError):
        parts = (error.sqlstate, *(getattr(error, part, None) for part in ("table_name", "column_name", "constraint_name")))
        return f"{name} {' '.join(part for part in parts if part)}"
    if isinstance(error, _TELLING) and not isinstance(error, ValueError):
        return f"{name}: {error}"
    return name


class Formatter(JsonFormatter):
    """Lines of JSON; of an exception and those behind it the places in the code, and `logged`."""

    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        return "".join(_lines(error, set())) if isinstance(error, BaseException) else ""


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    if id(error) in seen:
        return []
    seen.add(id(error))
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*_lines(behind, seen), "which led to:\n"] if behind is not None else []
    lines += ["Traceback (most recent call last):\n", *_places(error.__traceback__), f"{logged(error)}\n"]
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions[:_MOST]:
            lines += _lines(each, seen)
    return lines


def _places(place: TracebackType | None) -> list[str]:
    return traceback.format_tb(place)
