"""`value`: the decorator of the small immutable classes that are made in great numbers.

For the type checker it is `dataclass`, so that assigning to a field of a `@value(frozen=True)` is an error. At run time
nothing forbids it: a dataclass that does sets its fields through `object.__setattr__`, and then making an Event takes
three times as long, and was a quarter of the way of an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen, slots, kw_only=False):
        """As `dataclass`, equal and hashed by its fields, frozen by convention."""
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)


__all__ = ["value"]
