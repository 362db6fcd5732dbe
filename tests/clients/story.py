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

SHOPPER, EMAIL = "shopper-1", "ada@example.com"
USER_NODE, EMAIL_NODE = node_id(NodeKind.USER, SHOPPER), node_id(NodeKind.EMAIL, EMAIL)
CART = {"p1": (2, "Mug", 2495)}


def counted(events: Iterable[Event]) -> Counter[str]:
    """How often each thing is in the lake: a call by its type, a track call by its name."""
    return Counter(event.name or "" if event.type == "track" else event.type.value for event in events)


def customer_of(events: Iterable[Event]) -> set[str]:
    """The nodes that all events of a client name, without browsers and other devices of which each has its own."""
    return {node for event in events for node in nodes_of(event) if node[0] in "ue"}


def shopping(events: Iterable[Event]) -> dict[str, Any]:
    """What the fold takes from a client's e-commerce events: how often what happened, and the cart."""
    facts = [fact for event in events if (fact := fact_of(event, currency="USD")) is not None]
    cart = {
        product: (line.quantity, line.name, line.price_minor)
        for fact in facts for product, line in fact.cart.items()
    }  # fmt: skip
    return {"counts": Counter(fact.name for fact in facts if fact.name.startswith("Product ")), "cart": cart}
