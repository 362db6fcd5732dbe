"""`sequence`: things done one after the other, such as viewed, put in the cart, not bought."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from regulars.domain.rules.nodes import Duration, Node, Within
from regulars.domain.rules.where import Where

MAX_STEPS = 6
ORDERS = "orders"


class Step(Node):
    """One event, or `orders` for an order from a signed source; `where` as in counts."""

    event: str = Field(min_length=1, max_length=100)
    where: Where | None = None


class Without(Step):
    """What must not follow: none of it until `within` after the last step."""

    within: Duration


def _few(raw: Any) -> Any:
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MAX_STEPS:
        raise ValueError(f"must be a list of 1 to {MAX_STEPS} steps")
    return raw


class Sequence(Node):
    """The steps in this order, the last at most `span` after the first; two may be of the same instant. No event does
    two steps: what is asked for again must have happened again, and earlier where the two ask differently.

    `within`: the last step was so long ago at most. `same`: a property that has one value in all steps, such as
    product_id. `without`: holds from the end of its time on, unless that followed. Of each step the newest
    `tallies.MAX_INSTANTS` are looked at.
    """

    sequence: Annotated[tuple[Step, ...], BeforeValidator(_few)]
    span: Within = None
    within: Within = None
    same: str | None = Field(default=None, pattern=r"^[^.\s][^.]{0,63}(\.[^.]{1,64}){0,5}$")
    without: Without | None = None

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if len(self.sequence) == 1 and self.without is None:
            raise ValueError("one step alone is no sequence: use count, or add without")
        if self.same and any(step.event == ORDERS for step in self.every_step()):
            raise ValueError("same looks at events' properties; use the event Order Completed in place of orders")
        if self.within and self.without and self.without.within >= self.within:
            raise ValueError("without must have a shorter within than the sequence: it never would hold")
        return self

    def every_step(self) -> tuple[Any, ...]:
        """The steps, and what must not follow."""
        return (*self.sequence, self.without) if self.without else self.sequence
