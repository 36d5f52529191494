"""Parts that bodies of several routes share."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header
from ltc_contracts.errors import Invalid
from pydantic import BaseModel, ConfigDict, Field

from sales_svc.domain.activity import Touch
from sales_svc.store.changes import Change

# Numbers come as strings: a JSON number may have been a float on its way.
Exact = Annotated[Decimal, Field(strict=False, max_digits=20, decimal_places=6, allow_inf_nan=False)]
Version = Annotated[int, Field(ge=1, le=2_000_000_000)]
# Checked against the fields that the company defined; here only bounded.
CustomValues = Annotated[dict[Annotated[str, Field(max_length=63)], Any], Field(max_length=200)]
Search = Annotated[str, Field(min_length=1, max_length=200)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Edit(Body):
    """A change of some fields; `version` is the one that was read, unless If-Match says it."""

    version: Version | None = None

    def given(self, *never_empty: str) -> dict[str, Any]:
        """The fields that the caller named, but the version. A name (and what else is never empty) that is null is refused."""
        fields = {name: getattr(self, name) for name in self.model_fields_set - {"version"}}
        for name in ("name", *never_empty):
            if name in fields and fields[name] is None:
                raise Invalid(f"{name} cannot be empty", field=name)
        return fields


class TouchView(BaseModel):
    """When somebody of us met the customer last: by call, email or meeting."""

    type: str
    by: str
    at: datetime

    @classmethod
    def of(cls, touch: Touch) -> "TouchView":
        return cls(type=touch.type, by=touch.by, at=touch.at)


class ChangeView(BaseModel):
    """`changes`: field to [before, after]; of personal data only that it changed."""

    id: UUID
    version: int
    by: str
    at: datetime
    changes: dict[str, Any]

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls(**{name: getattr(change, name) for name in cls.model_fields})


async def _if_match(
    if_match: Annotated[str | None, Header(pattern=r'^(W/)?"?[0-9]{1,9}"?$', description="the version that was read")] = None,
) -> int | None:
    return None if if_match is None else int(if_match.removeprefix("W/").strip('"'))


IfMatch = Annotated[int | None, Depends(_if_match)]
