"""Files are deployed that definitions do not fit any more: these are suspended, and everything else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.adapters.memory.program import MemoryProgramStore
from regulars.application.segments.definitions import Definitions
from regulars.application.segments.reading import ReadSegments
from regulars.domain.definitions import Basis, problems_of
from regulars.domain.errors import BadInputError
from regulars.domain.loading import load_program
from tests.unit.test_changes import BIG, FILES, Shop

SPENDER = {"name": "spender", "rule": {"sum": "orders.revenue", "at_least": 100}}
WITH_SPENDER: dict[str, Any] = {"p.yaml": {**FILES["p.yaml"], "segments": [*FILES["p.yaml"]["segments"], SPENDER]}}
NEAR = {"rule": {"all": [{"segment": "spender"}, {"count": "orders", "at_least": 1}]}}
NEARER = {"rule": {"segment": "near"}}


def deploy(shop: Shop, files: dict[str, Any]) -> None:
    """Other files; definitions and parameters stay."""
    known = shop.programs.current().parameters
    shop.programs = shop.update._programs = shop.evaluate._programs = MemoryProgramStore(
        load_program(files, known), files, shop.put
    )
    shop.definitions = Definitions(
        store=shop.put, basis=shop.programs.basis, programs=shop.programs, changes=shop.changes, clock=shop.clock
    )


def shop_with(*definitions: tuple[str, dict[str, Any]]) -> Shop:
    """Somebody is in all of them, and the files are about to be others."""
    shop = Shop()
    deploy(shop, WITH_SPENDER)
    for name, data in definitions:
        shop.define(name, data)
    shop.follow()
    return shop


def members(shop: Shop, segment: str) -> list[str]:
    return sorted(node for node, head in shop.store.scan() if head.state and segment in head.state.value.memberships)


def test_who_is_in_it_stays_nobody_enters_and_all_else_is_decided() -> None:
    shop = shop_with(("near", NEAR), ("nearer", NEARER), ("big", BIG))
    ann = members(shop, "near")
    assert len(ann) == 1
    deploy(shop, FILES)
    shop.send(shop.order("o3", total=15_000, user_id="bob"), shop.order("o4", total=100, user_id="dan"))
    shop.night()
    assert members(shop, "near") == members(shop, "nearer") == ann
    assert len(members(shop, "big")) == 2
    assert len(members(shop, "bought")) == 3


def test_what_fits_again_goes_on_where_it_was() -> None:
    shop = shop_with(("near", NEAR))
    ann = members(shop, "near")
    deploy(shop, FILES)
    shop.send(shop.order("o3", total=15_000, user_id="bob"))
    shop.night()
    deploy(shop, WITH_SPENDER)
    shop.night()
    assert set(ann) < set(members(shop, "near"))
    assert not shop.programs.current().suspended


def test_it_ends_when_it_is_taken_out() -> None:
    shop = shop_with(("near", NEAR))
    deploy(shop, FILES)
    shop.night()
    assert members(shop, "near")
    shop.definitions.withdraw("near", expected=1)
    shop.follow()
    assert members(shop, "near") == []


def test_others_can_be_put_and_mended_meanwhile() -> None:
    shop = shop_with(("near", NEAR), ("nearer", NEARER))
    deploy(shop, FILES)
    shop.define("big", BIG)
    with pytest.raises(BadInputError) as error:
        shop.define("near", NEAR)  # the same again is not in force
    assert [problem.path for problem in problems_of(error.value)] == ["definition near: rule.all.0.segment"]
    shop.define("near", BIG)
    assert not shop.programs.current().suspended


def test_the_name_is_the_files_where_these_take_it() -> None:
    shop = shop_with(("near", NEAR))
    taken = {"p.yaml": {**FILES["p.yaml"], "segments": [*FILES["p.yaml"]["segments"], {**SPENDER, "name": "near"}]}}
    deploy(shop, taken)
    program = shop.programs.current()
    assert program.describe("near") == "revenue is at least 100.00 USD"
    assert not program.suspended


def test_operators_see_which_and_why_and_so_do_those_who_deploy() -> None:
    shop = shop_with(("near", NEAR), ("nearer", NEARER), ("big", BIG))
    deploy(shop, FILES)
    listed = ReadSegments(store=shop.put, basis=shop.programs.basis).all()
    assert [segment["name"] for segment in listed["segments"]] == ["bought", "big"]
    assert [(one["name"], one["version"]) for one in listed["suspended"]] == [("near", 1), ("nearer", 1)]
    assert "there is no such segment" in listed["suspended"][0]["problem"]
    shop.define("other", BIG)
    report = shop.follow()
    assert report.suspended == {"near", "nearer"}
    basis = shop.programs.basis()
    with pytest.raises(BadInputError, match="definition near"):
        basis.with_definitions(basis.definitions.definitions)


def test_where_they_are_too_many_together_the_last_goes_first() -> None:
    """Each rule on its own is fine, and so are both with the files of before."""

    def looks(*events: str) -> dict[str, Any]:
        return {"rule": {"any": [{"count": event, "within": "30d", "at_least": 1} for event in events]}}

    shop = shop_with(("early", looks(*(f"E{number}" for number in range(40)))))
    shop.define("late", looks(*(f"L{number}" for number in range(40))))
    many = {"name": "many", **looks(*(f"F{number}" for number in range(40)))}
    deploy(shop, {"p.yaml": {**FILES["p.yaml"], "segments": [*FILES["p.yaml"]["segments"], many]}})
    basis: Basis = shop.programs.basis()
    assert set(basis.fitted().unfit) == {"late"}
