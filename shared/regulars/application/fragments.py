"""What a customer is made of, out of the heads that were read: its nodes' fragments, and what addresses that it shares
with too many others say for everybody who has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from regulars.domain.customer import Fragment
from regulars.domain.profile import Profile
from regulars.domain.refusals import refusals_of

if TYPE_CHECKING:
    from regulars.domain.stored import Head


def fragments_of(members: Iterable[str], addresses: frozenset[str], heads: Mapping[str, Head]) -> list[Fragment]:
    """The fragments of a customer as it is stored; `addresses`: address nodes near by that are not its own."""
    nodes = sorted(members)
    return [heads[node].fragment(node) for node in nodes] + shared_fragments(nodes, addresses, heads)


def shared_fragments(members: Iterable[str], addresses: frozenset[str], heads: Mapping[str, Head]) -> list[Fragment]:
    """What addresses of the customer that too many others have too, so that they make nobody one customer, say."""
    if not addresses:  # as mostly; else all profiles would be read for their links alone
        return []
    linked = {other for node in members for other in heads[node].links.known}
    shared = {node: heads[node].profile for node in sorted(addresses & linked)}
    return [
        Fragment(refusals_of(stored.value) if stored else Profile(), node=node, own=False)
        for node, stored in shared.items()
    ]
