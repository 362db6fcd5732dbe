"""Identifiers: their kinds and strength, their nodes, and values that stand for nobody.

Kinds, priorities and blocked values follow Segment's identity resolution settings (user_id before e-mail before the
rest). Which identifiers are one customer's is decided in regulars.domain.links.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class NodeKind(StrEnum):
    """Kinds of identifier. The order of declaration is the order of strength."""

    USER = "user"
    EMAIL = "email"
    PHONE = "phone"
    LOYALTY = "loyalty"
    SHOP = "shop"
    ANONYMOUS = "anonymous"
    DEVICE = "device"


USER, EMAIL, PHONE, ANONYMOUS = NodeKind.USER, NodeKind.EMAIL, NodeKind.PHONE, NodeKind.ANONYMOUS
EXTERNAL_KINDS = {
    "loyalty_card": NodeKind.LOYALTY,
    "shop_customer_id": NodeKind.SHOP,
    "device_id": NodeKind.DEVICE,
}
"""Types of `context.externalIds` that name somebody. A shop customer id is `<source>:<id>`: unique in one shop only."""
KIND_NAMES = {
    "user_id": NodeKind.USER,
    "email": NodeKind.EMAIL,
    "phone": NodeKind.PHONE,
    "loyalty_card": NodeKind.LOYALTY,
    "shop_customer_id": NodeKind.SHOP,
    "anonymous_id": NodeKind.ANONYMOUS,
    "device_id": NodeKind.DEVICE,
}
"""Kinds as a program and its operators write them (ADR 9)."""
_LETTERS = {kind: kind.value[0] for kind in NodeKind}
_STRENGTH = {letter: rank for rank, letter in enumerate(_LETTERS.values())}

WEAK = _LETTERS[NodeKind.ANONYMOUS] + _LETTERS[NodeKind.DEVICE]
"""Letters of browsers and devices: they name nobody by themselves."""

MAX_ID_CHARS = 255
_EMAIL = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]+\.[^\s@<>,;:\".]{2,63}")
_MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, with its brackets
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_PHONE_NOISE = str.maketrans("", "", " -.()/\u00a0")
_NODE = re.compile(r"[upelsad]_[0-9a-f]{32}")
_BLOCKED = re.compile(r"[0-]*|-1|null|none|undefined|nil|nan|anonymous|guest|\[object object\]", re.IGNORECASE)
_FIRST_OF_BLOCKED = frozenset("0-nNuUaAgG[")


@lru_cache(maxsize=4096)
def node_id(kind: NodeKind, value: str) -> str:
    """The id of an identifier: a letter for the kind and 128 bits of SHA-256. Holds no personal data, forges no key."""
    return f"{_LETTERS[kind]}_{hashlib.sha256(f'{kind}:{value}'.encode()).hexdigest()[:32]}"


def is_blocked(identifier: str) -> bool:
    """Whether a value stands for nobody (`null`, `0000`, `undefined`, ...) and would merge everybody who sends it."""
    identifier = identifier.strip()
    return not identifier or (identifier[0] in _FIRST_OF_BLOCKED and _BLOCKED.fullmatch(identifier) is not None)


def normalised_email(text: str) -> str | None:
    """The address trimmed and in lower case, or None when it has not the shape of one."""
    email = text.strip().lower()
    return email if len(email) <= _MAX_EMAIL and _EMAIL.fullmatch(email) else None


def normalised_phone(text: str) -> str | None:
    """The number in E.164, or None when it does not say its country (`+...`) or has not the shape of one."""
    phone = text.strip().translate(_PHONE_NOISE)
    return phone if _PHONE.fullmatch(phone) else None


def strongest(nodes: frozenset[str]) -> str:
    """The root of a customer: its strongest, then smallest, node."""
    return min(nodes, key=_strength)


def letter_of(kind: NodeKind) -> str:
    """The letter that leads the ids of a kind's nodes."""
    return _LETTERS[kind]


def normalised(kind: NodeKind, value: str) -> str | None:
    """An identifier in the form that its node is made of; None when it has not the shape of one, or stands for
    nobody."""
    match kind:
        case NodeKind.EMAIL:
            return normalised_email(value)
        case NodeKind.PHONE:
            return normalised_phone(value)
        case _:
            value = value.strip()
            return value if len(value) <= MAX_ID_CHARS and not is_blocked(value) else None


def node_of(text: str) -> str | None:
    """A node id as it is, or made of `kind:value` (`user:`, `email:`, `user_id:` ...); None when it is neither."""
    if _NODE.fullmatch(text):
        return text
    name, _, value = text.partition(":")
    kind = KIND_NAMES.get(name) or next((kind for kind in NodeKind if kind.value == name), None)
    normal = normalised(kind, value) if kind else None
    return node_id(kind, normal) if kind and normal else None


def _strength(node: str) -> tuple[int, str]:
    return _STRENGTH[node[0]], node


def by_strength(nodes: Iterable[str]) -> list[str]:
    """Nodes with the strongest kind first, then by id."""
    return sorted(nodes, key=_strength)


def by_weakness(nodes: Iterable[str]) -> list[str]:
    """Nodes with the weakest kind first: links go from stronger to weaker, so every node comes after those it links
    to."""
    return sorted(nodes, key=lambda node: (-_STRENGTH[node[0]], node))
