"""Which identifiers an event names, as nodes: where it is folded, and what it links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regulars.domain.events import ALIAS, BY_SYSTEM, Event
from regulars.domain.identity import (
    ANONYMOUS,
    EMAIL,
    EXTERNAL_KINDS,
    PHONE,
    USER,
    NodeKind,
    by_strength,
    is_blocked,
    letter_of,
    node_id,
    normalised,
    normalised_email,
    normalised_phone,
)

SPLIT, JOINED = "Identity Split", "Identity Joined"
"""An operator's word, in the log: two identifiers are not one person's; or may be again."""
CUTS = {SPLIT: True, JOINED: False}
_MAX_EXTERNAL_IDS = 20
_DEVICE = letter_of(NodeKind.DEVICE)
_PAIR = 2


def nodes_of(event: Event) -> list[str]:
    """The nodes that an event names, the strongest first: it folds into the first and links the others to it."""
    nodes = []
    if event.user_id:
        nodes.append(node_id(USER, event.user_id))
    if event.traits:
        if email := email_of(event):
            nodes.append(node_id(EMAIL, email))
        if phone := _phone_of(event):
            nodes.append(node_id(PHONE, phone))
    external = external_nodes(event.context) if event.context else ()
    nodes += [node for node in external if node[0] != _DEVICE]
    if event.anonymous_id:
        nodes.append(node_id(ANONYMOUS, event.anonymous_id))
    if event.type is ALIAS:
        previous = event.properties.get("previousId")
        if isinstance(previous, str) and event.user_id and not is_blocked(previous):
            nodes.append(node_id(ANONYMOUS, previous))
    nodes += [node for node in external if node[0] == _DEVICE]
    if not nodes and event.trust is BY_SYSTEM:
        nodes = _nodes_meant(event)
    return nodes


def external_nodes(context: Mapping[str, Any]) -> list[str]:
    """The nodes of `context.externalIds` (Segment's, of collection `users`) and `context.device.id`, the strongest
    first, each once."""
    given = context.get("externalIds")
    device = context.get("device")
    if given is None and device is None:
        return []
    found = []
    for one in given[:_MAX_EXTERNAL_IDS] if isinstance(given, list) else ():
        kind = EXTERNAL_KINDS.get(str(one.get("type"))) if isinstance(one, dict) else None
        if kind is not None and one.get("collection", "users") == "users":
            found.append((kind, one.get("id")))
    if isinstance(device, dict):
        found.append((NodeKind.DEVICE, device.get("id")))
    nodes = {
        node_id(kind, value)
        for kind, text in found
        if isinstance(text, str | int) and not isinstance(text, bool) and (value := normalised(kind, str(text)))
    }
    return by_strength(nodes)


def external_ids(source: str, identifiers: Mapping[str, str | None]) -> list[dict[str, str]]:
    """The members of `context.externalIds` for the `identifiers`, by type, that EXTERNAL_KINDS has and that say
    something. A shop's own number of a customer is unique in that shop only, so it is led by the `source` (ADR 9)."""
    return [
        {
            "id": f"{source}:{identifier}" if kind is NodeKind.SHOP else identifier,
            "type": name,
            "collection": "users",
            "encoding": "none",
        }
        for name, kind in EXTERNAL_KINDS.items()
        if (identifier := identifiers.get(name))
    ]


def _nodes_meant(event: Event) -> list[str]:
    """The nodes that one of our own events is about: an address, or the first of two that an operator split."""
    address: Any = event.properties.get("address_node")
    pair: Any = event.properties.get("nodes")
    if isinstance(address, str):
        return [address]
    return pair[:1] if event.name in CUTS and is_pair(pair) else []


def is_pair(pair: Any) -> bool:
    """Whether the properties of such an event name two nodes."""
    return isinstance(pair, list) and len(pair) == _PAIR and all(isinstance(node, str) for node in pair)


def email_of(event: Event) -> str | None:
    """The normalised e-mail address among an event's traits."""
    email = event.traits.get("email")
    return normalised_email(email) if isinstance(email, str) else None


def _phone_of(event: Event) -> str | None:
    phone = event.traits.get("phone")
    return normalised_phone(phone) if isinstance(phone, str) else None
