"""Events that are handled together, as handlers see them: without the broker they came from."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from ltc_contracts.envelope import Envelope
from ltc_contracts.events import Event

from ltc_chassis.db import Transaction

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Arrived(Generic[E]):
    """One of several events of a type. What is announced `with arrived.turn(tx):` was caused by it, and goes on in its trace."""

    event: E
    envelope: Envelope
    turn: Callable[[Transaction], AbstractContextManager[object]]
