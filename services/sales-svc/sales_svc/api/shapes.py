"""Parts that bodies of several routes share."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Numbers come as strings: a JSON number may have been a float on its way.


Exact = Annotated[Decimal, Field(strict=False, max_digits=20, decimal_places=6, allow_inf_nan=False)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
