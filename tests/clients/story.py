"""What one shopper does, as every client is made to say it, and what must have become of it.

Logs in as `shopper-1`, whose address is known; views a mug; puts two of it into the cart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event
from regulars.domain.facts import fact_of
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import Profile, fold

SHOPPER, EMAIL = "shopper-1", "ada@example.com"
USER_NODE, EMAIL_NODE = node_id(NodeKind.USER, SHOPPER), node_id(NodeKind.EMAIL, EMAIL)
PLAN = FeaturePlan({"Product Viewed": 7, "Product Added": 7, "Order Completed": 7})
PROFILE: dict[str, Any] = {
    "counters": {"Product Viewed": 1, "Product Added": 1},
    "traits": {"email": EMAIL, "email_flags": "none", "first_name": "Ada"},
    "cart": {"p1": (2, "Mug", 2495)},
    "consents": [],
    "suppressed": [],
}


def profile_by(client: str) -> dict[str, Any]:
    """The profile that a client's calls must make. Snowplow's e-commerce user has an address and no name."""
    if not client.startswith("snowplow"):
        return PROFILE
    return PROFILE | {"traits": {name: said for name, said in PROFILE["traits"].items() if name != "first_name"}}


def counted(events: Iterable[Event]) -> Counter[str]:
    """How often each thing is in the lake: a call by its type, a track call by its name."""
    return Counter(event.name or "" if event.type == "track" else event.type.value for event in events)


def customer_of(events: Iterable[Event]) -> set[str]:
    """The nodes that all events of a client name, without browsers and other devices of which each has its own."""
    return {node for event in events for node in nodes_of(event) if node[0] in "ue"}


def profile_of(events: Iterable[Event]) -> dict[str, Any]:
    """What the fold makes of all that a client sent, but for when and by whom it was said: that is the client's own."""
    facts = [fact for event in events if (fact := fact_of(event, currency="USD")) is not None]
    profile = fold(Profile(), facts, PLAN)
    return {
        "counters": {name: counter.total for name, counter in profile.counters.items()},
        "traits": {name: trait.value for name, trait in profile.traits.items()},
        "cart": {key: (line.quantity, line.name, line.price_minor) for key, line in profile.cart.lines.items()},
        "consents": sorted(profile.consents),
        "suppressed": sorted(profile.suppressed),
    }
