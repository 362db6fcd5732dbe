"""Identifiers, and which of them are one customer.

Resolution is deterministic: it depends on the set of links only, never on the order in which they came. The rules and
default limits follow Segment's identity resolution settings (user_id before e-mail before the rest; limits; blocked
values).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache

MAX_NODES = 50
"""A customer resolves to at most this many nodes."""


class NodeKind(StrEnum):
    """Kinds of identifier. The letter leads a node id; the order of declaration is the order of strength."""

    USER = "user"
    EMAIL = "email"
    PHONE = "phone"
    ANONYMOUS = "anonymous"


USER, EMAIL, PHONE, ANONYMOUS = NodeKind.USER, NodeKind.EMAIL, NodeKind.PHONE, NodeKind.ANONYMOUS
_LETTERS = {NodeKind.USER: "u", NodeKind.EMAIL: "e", NodeKind.PHONE: "p", NodeKind.ANONYMOUS: "a"}
_STRENGTH = {"u": 0, "e": 1, "p": 2, "a": 3}

# How many neighbours of a stronger kind a node may have before it links none of them: a browser used by two accounts
# belongs to neither, nor does a telephone that two people give; an e-mail address may serve the few accounts that one
# person opened.
_LIMITS = {"a": {"u": 1, "e": 1, "p": 1}, "p": {"u": 1, "e": 1}, "e": {"u": 5}}

_EMAIL = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]+\.[^\s@<>,;:\".]{2,63}")
_MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, with its brackets
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_PHONE_NOISE = str.maketrans("", "", " -.()/\u00a0")
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


def is_ambiguous(node: str, links: frozenset[str]) -> bool:
    """Whether a node has more strong neighbours than its kind allows, and so links none."""
    if not links:
        return False
    limits = _LIMITS.get(node[0])
    if not limits:
        return False
    return any(sum(other[0] == kind for other in links) > limit for kind, limit in limits.items())


def component(start: str, links: Mapping[str, frozenset[str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The nodes of the customer that `start` belongs to, and the nodes whose links must be known to be sure.

    `links` holds what is known so far. Call again with more until nothing is missing. At most MAX_NODES nodes are
    followed: only an attacker has more, and which of them then count depends on where one starts.
    """
    members: set[str] = set()
    missing: set[str] = set()
    waiting = [start]
    while waiting and len(members) < MAX_NODES:
        node = waiting.pop()
        if node in members or node in missing:
            continue
        if node not in links:
            missing.add(node)
            continue
        if is_ambiguous(node, links[node]):
            if node == start:
                return frozenset({start}), frozenset()
            continue
        members.add(node)
        waiting.extend(sorted(links[node], reverse=True))
    return frozenset(members), frozenset(missing) if len(members) < MAX_NODES else frozenset()


def _strength(node: str) -> tuple[int, str]:
    return _STRENGTH[node[0]], node


def by_strength(nodes: Iterable[str]) -> list[str]:
    """Nodes with the strongest kind first, then by id."""
    return sorted(nodes, key=_strength)


def by_weakness(nodes: Iterable[str]) -> list[str]:
    """Nodes with the weakest kind first: links go from stronger to weaker, so every node comes after those it links
    to."""
    return sorted(nodes, key=lambda node: (-_STRENGTH[node[0]], node))
