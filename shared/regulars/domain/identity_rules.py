"""What a program says about identity: limits between kinds of identifier, and values that stand for nobody.

    identity:
      limits:
        - {of: device_id, with: user_id, at_most: 1, within: 4w}  # a tablet that is sold is its buyer's after a month
        - {of: user_id, with: anonymous_id, at_most: 10, exceeded: newest}
      blocked:
        user_id: [demo, test]

What is not said here is as in `links.DEFAULT_LIMITS`. Limits are applied when a customer is put together, so a change
holds from the next evaluation on, and backwards.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from regulars.domain.identity import KIND_NAMES, letter_of, node_id, normalised
from regulars.domain.links import DEFAULT_LIMITS, MAX_LINKS_OF_KIND, IdentityRules, Limit
from regulars.domain.rules.nodes import Node, Within

_WEEK = timedelta(weeks=1)
KindName = Literal["user_id", "email", "phone", "loyalty_card", "shop_customer_id", "anonymous_id", "device_id"]


class LimitDefinition(Node):
    """How many identifiers of kind `with` one of kind `of` may have, ever or `within` whole weeks of the last one seen.

    Where there are more it joins nobody (`none`), or the `newest` of them.
    """

    of: KindName
    with_kind: KindName = Field(alias="with")
    at_most: int = Field(ge=0, lt=MAX_LINKS_OF_KIND)
    within: Within = None
    exceeded: Literal["none", "newest"] = "none"

    @model_validator(mode="after")
    def _whole_weeks(self) -> Self:
        if self.within is not None and (self.within % _WEEK or not self.within):
            raise ValueError("within must be whole weeks, such as 4w: links remember the week, not the day")
        return self

    def limit(self) -> Limit:
        """The limit in the form that is applied."""
        weeks = None if self.within is None else self.within // _WEEK
        return Limit(letter_of(KIND_NAMES[self.with_kind]), self.at_most, weeks, self.exceeded == "newest")


class IdentityDefinition(Node):
    """The `identity` section of a program."""

    limits: tuple[LimitDefinition, ...] = Field(default=(), max_length=50)
    blocked: dict[KindName, tuple[Annotated[str, Field(min_length=1, max_length=255)], ...]] = Field(
        default_factory=dict
    )

    def rules(self) -> IdentityRules:
        """The defaults, with what is said here instead where the kinds are the same."""
        limits = {letter: {limit.other: limit for limit in known} for letter, known in DEFAULT_LIMITS.items()}
        for definition in self.limits:
            limit, known = definition.limit(), limits.setdefault(letter_of(KIND_NAMES[definition.of]), {})
            default = known.get(limit.other)
            # How many a program allows is its choice; that a claim does not stand beside what the shop told is not.
            known[limit.other] = limit._replace(claimed=default.claimed) if default else limit
        nodes = {
            node_id(KIND_NAMES[kind], normalised(KIND_NAMES[kind], value) or value)
            for kind, values in self.blocked.items()
            for value in values
        }
        return IdentityRules({letter: tuple(known.values()) for letter, known in limits.items()}, frozenset(nodes))
