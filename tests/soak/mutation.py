"""Small changes to bytes and trees, from a seeded source of chance."""

from __future__ import annotations

import copy
import random
from typing import Any

_ODD_BYTES = [
    *(b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"%", b"="),
    *(b"&", b"\n", b"- ", b"&a ", b"*a", b"!!python/object", b"\\ud800", b"1e999", b"-0", b"null", b"\xe2\x80\xa8"),
]
_ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, -1e-308, 2**63, 2**64, 10**40, "", " ", "0", "null", "undefined", "\x00"),
    *("\u2028", "\ud800", "x" * 300, "9" * 400, "1e400", "NaN", "\u0663", "#", "a@b", "30d", "9999w", "2026-13-45"),
    *("0001-01-01T00:00:00+14:00", [], {}, [[]], {"": {}}),
]
_MOST_PLACES = 3_000
"""A tree with more is only made smaller: changes of changes must not grow without end."""


def mutated_bytes(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """`data` after one to four changes; parts of `others` may come in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(changed))
        until = min(len(changed), at + chance.choice([0, 1, 1, 2, 8, 64]))
        match chance.randrange(5):
            case 0:
                changed[at:until] = b""
            case 1:
                changed[at:until] = chance.choice(_ODD_BYTES) * chance.choice([1, 1, 1, 2, 50, 3_000])
            case 2:
                changed[at:at] = changed[at:until] * chance.choice([1, 2, 100])
            case 3:
                other = chance.choice(others)
                begin = chance.randint(0, len(other))
                changed[at:until] = other[begin : begin + chance.randint(0, 200)]
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def mutated_tree(chance: random.Random, tree: Any, others: list[Any]) -> Any:
    """A copy of `tree` after one to four changes at places of it; parts of `others` may come in."""
    changed = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 4)):
        places = list(_places(changed))
        if not places:
            return copy.deepcopy(chance.choice(_ODD_VALUES))
        holder, key = chance.choice(places)
        match chance.randrange(6) if len(places) < _MOST_PLACES else 0:
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(["", "\x00", "x" * 300, str(key) * 2, "__proto__", "all", "type"])] = holder.pop(
                    key
                )
            case 2:
                holder[key] = _nested(chance, holder[key])
            case 3:
                other = list(_places(chance.choice(others)))
                if other:
                    place, name = chance.choice(other)
                    holder[key] = copy.deepcopy(place[name])
            case 4 if isinstance(holder, list):
                holder.extend(copy.deepcopy(holder[key]) for _ in range(chance.choice([1, 3, 60])))
            case _:
                holder[key] = copy.deepcopy(chance.choice(_ODD_VALUES))
    return changed


def _nested(chance: random.Random, value: Any) -> Any:
    """`value` inside some levels of objects or arrays."""
    levels = chance.choice([1, 2, 19, 20, 21, 30, 200])
    name = chance.choice(["a", "not", "all", "context"])
    for _ in range(levels):
        value = {name: value} if chance.random() < 0.7 else [value]
    return value


def _places(tree: Any) -> Any:
    """(holder, key or index) of every value inside."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in list(entries):
            yield node, key
            waiting.append(value)
