"""Keyset paging over UUIDv7 ids: stable under inserts, no offset, no count."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from ltc_contracts.errors import Invalid
from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A page of items in the order of their creation; `next` is the cursor of the following page, null at the end."""

    items: list[T]
    next: str | None = None


class PageRequest:
    """What the caller asked for. Fetch `limit + 1` rows after `after`, then hand them to `of`."""

    def __init__(self, after: UUID | None, limit: int) -> None:
        self.after = after
        self.limit = limit

    def of(self, rows: Sequence[T], key: Callable[[T], UUID]) -> Page[T]:
        """The page of up to `limit` rows; the extra row only tells that there is a next page."""
        shown = list(rows[: self.limit])
        more = len(rows) > self.limit
        return Page(items=shown, next=encode(key(shown[-1])) if more and shown else None)


def encode(cursor: UUID) -> str:
    return base64.urlsafe_b64encode(cursor.bytes).decode().rstrip("=")


def decode(text: str) -> UUID:
    """Raises `Invalid` for anything that `encode` did not return."""
    try:
        return UUID(bytes=base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise Invalid("this is not a cursor of ours", field="cursor") from error


async def _page_request(
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> PageRequest:
    return PageRequest(decode(cursor) if cursor else None, limit)


PageArgs = Annotated[PageRequest, Depends(_page_request)]
