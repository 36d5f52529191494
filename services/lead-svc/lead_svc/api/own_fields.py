"""HTTP in: the company's own fields as filters of a list."""

from typing import Annotated

from fastapi import Depends, Request
from ltc_chassis import custom_fields
from ltc_chassis.api import Conn
from ltc_contracts.errors import Invalid
from ltc_rules.custom_fields import JSON, parse_cell

_PREFIX = "custom."
_MOST = 10


async def _own_filter(request: Request, conn: Conn) -> dict[str, JSON] | None:
    given = [(name.removeprefix(_PREFIX), text) for name, text in request.query_params.multi_items() if name.startswith(_PREFIX)]
    if not given:
        return None
    if len(given) > _MOST:
        raise Invalid(f"at most {_MOST} filters by fields of your own", field="custom")
    known = {definition.key: definition for definition in await custom_fields.load(conn, "lead")}
    wanted: dict[str, JSON] = {}
    for key, text in given:
        definition = known.get(key)
        if definition is None:
            raise Invalid("no such field", field=f"{_PREFIX}{key}"[:100])
        if key in wanted:
            raise Invalid("is there twice", field=f"{_PREFIX}{key}")
        wanted[key] = parse_cell(definition, text)
        if wanted[key] is None:
            raise Invalid("is empty", field=f"{_PREFIX}{key}")
    return wanted


OwnFilter = Annotated[dict[str, JSON] | None, Depends(_own_filter)]
