"""Both spills give back what was put aside, group by group."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from regulars.adapters.spill import DiskSpill, MemorySpill
from regulars.ports import Spill

NODES = [f"u_{number:032x}" for number in range(50)]


@pytest.fixture(params=["memory", "disk"])
def spill(request: pytest.FixtureRequest) -> Iterator[Spill]:
    """An empty spill of eight groups."""
    if request.param == "memory":
        yield MemorySpill(8)
        return
    with DiskSpill(8) as disk:
        yield disk


def all_of(spill: Spill) -> dict[str, list[bytes]]:
    return {node: lines for group in range(spill.groups) for node, lines in spill.take(group).items()}


def test_each_node_gets_its_lines_in_order_and_once(spill: Spill) -> None:
    for turn in range(3):
        for node in NODES:
            spill.add(node, b'%d {"a": "b c"}' % turn)
    assert all_of(spill) == {node: [b'%d {"a": "b c"}' % turn for turn in range(3)] for node in NODES}
    assert all_of(spill) == {}


def test_a_node_stays_in_its_group(spill: Spill) -> None:
    """What is put aside after a group was taken comes with the next taking of the same group."""
    spill.add(NODES[0], b"first")
    (group,) = [group for group in range(spill.groups) if spill.take(group)]
    spill.add(NODES[0], b"second")
    assert spill.take(group) == {NODES[0]: [b"second"]}


def test_groups_are_about_even(spill: Spill) -> None:
    for node in NODES:
        spill.add(node, b"x")
    assert max(len(spill.take(group)) for group in range(spill.groups)) <= 15
