"""How many members a service has if it decides by majority."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MAJORITY_OF = 3


def voters(managers: Sequence[T]) -> Sequence[T]:
    """Return the managers that run a member: three, or one if there are fewer, because two are no safer than one."""
    return managers[:_MAJORITY_OF] if len(managers) >= _MAJORITY_OF else managers[:1]
