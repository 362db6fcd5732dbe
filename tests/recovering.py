"""Breaking a world's projection, and putting it right again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from regulars.adapters.items import orders_text, profile_text
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.adapters.memory.system import CountedIds
from regulars.adapters.spill import MemorySpill
from regulars.application.rebuild import EVERYBODY, Doing, Rebuild, RebuildReport, Slice
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.stored import Applied, Head
from tests.world import World

SILENTLY = Applied(())
"""A write that says that nothing came in: how a test breaks an item."""


def projection(store: MemoryCustomerStore) -> dict[str, tuple[str, str]]:
    """Every node's profile and orders as text, without the ids that were seen (they are no part of the value)."""
    found = {}
    for node, head in store.scan():
        fragment = head.fragment(node)
        found[node] = (profile_text(replace(fragment.profile, seen={})), orders_text(fragment.orders))
    return found


def break_profile(world: World, node: str, change: Callable[[Profile], Profile] = lambda _: Profile()) -> None:
    """Put something else in a profile's place; the evaluation does not hear of it."""
    head = world.store.heads([node])[node].profile
    assert head is not None
    world.store.put_profile(node, change(head.value), applied=SILENTLY, expected=head.version, owner="vandal")
    world.store.changes()


def break_orders(world: World, node: str) -> None:
    """Lose a node's orders."""
    head = world.store.heads([node])[node].orders
    assert head is not None
    world.store.put_orders(node, OrderBook(), applied=SILENTLY, expected=head.version, owner="vandal")
    world.store.changes()


def rebuilt(
    world: World,
    wanted: Slice | frozenset[str] = EVERYBODY,
    doing: Doing | None = None,
    *,
    store: Any = None,
    settle: bool = True,
) -> RebuildReport:
    """Rebuild a world's projection, and let everything that this sets off run, unless the stream is to lag."""
    rebuild = Rebuild(
        log=world.log,
        store=store or world.store,
        catalogue=world.catalogue,
        programs=world.programs,
        spill=MemorySpill(groups=4),
        clock=world.clock,
        ids=CountedIds("rebuild-"),
    )
    report = rebuild(wanted, doing or Doing())
    if settle:
        world.settle()
    return report


@dataclass
class Meanwhile:
    """A store in which something happens once: right after heads were read for the first time, or right before the
    first write."""

    store: MemoryCustomerStore
    happens: Callable[[], None]
    before_write: bool = False
    happened: bool = False

    def heads(self, *arguments: Any, **options: Any) -> dict[str, Head]:
        """As the store's; then the thing happens."""
        found = self.store.heads(*arguments, **options)
        self._once(now=not self.before_write)
        return found

    def put_profile(self, *arguments: Any, **options: Any) -> None:
        """The thing happens; then as the store's."""
        self._once(now=self.before_write)
        self.store.put_profile(*arguments, **options)

    def _once(self, *, now: bool) -> None:
        if now and not self.happened:
            self.happened = True
            self.happens()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)
