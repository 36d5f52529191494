"""The types of a database connection, in one place: asyncpg's classes take parameters only in its stubs, not at run time."""

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    DirectConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Connection: TypeAlias = DirectConnection | PoolConnectionProxy[asyncpg.Record]
else:
    DirectConnection = asyncpg.Connection
    Connection = asyncpg.Connection | PoolConnectionProxy
