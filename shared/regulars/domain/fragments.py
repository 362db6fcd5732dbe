"""What a customer is made of, out of the heads that were read: its nodes' fragments, and what addresses that it shares
with too many others say for everybody who has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from regulars.domain.customer import Fragment
from regulars.domain.profile import Profile
from regulars.domain.refusals import refused_at

if TYPE_CHECKING:
    from regulars.domain.stored import Head


def fragments_of(members: Iterable[str], addresses: frozenset[str], heads: Mapping[str, Head]) -> list[Fragment]:
    """The fragments of a customer as it is stored; `addresses`: address nodes that it names and does not own."""
    return [heads[node].fragment(node) for node in sorted(members)] + shared_fragments(addresses, heads)


def shared_fragments(addresses: frozenset[str], heads: Mapping[str, Head]) -> list[Fragment]:
    """What addresses that the customer names and does not own say to whoever would write there."""
    profiles = {node: heads[node].profile for node in sorted(addresses)}
    return [
        Fragment(refused_at(stored.value) if stored else Profile(), node=node, own=False)
        for node, stored in profiles.items()
    ]
