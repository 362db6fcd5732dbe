"""What was changed for a few minutes and put back leaves nothing wrong; and what is old is not taken for new rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from regulars.adapters.memory.queue import MemoryQueue
from regulars.application.changes import deployed
from regulars.domain.engine import NEW_RULES
from regulars.domain.loading import load_program
from regulars.domain.marks import marks_of
from regulars.domain.rules.leaves import Since
from tests.unit.test_changes import BIG, FILES, MINUTE
from tests.unit.test_changes import Shop as Defining
from tests.unit.test_new_rules import BOUGHT, DAY, OFTEN, Shop, gone, ordered_at, spenders, top
from tests.unit.test_suspended import deploy

HUGE = {"rule": {"sum": "orders.revenue", "at_least": 1000}}
VIEWED = {"name": "viewed", "rule": {"count": "Page Viewed", "at_least": 1}}
KEEN = {"name": "keen", "rule": {"count": "Page Viewed", "at_least": 4}}


def shoes(within: str) -> dict[str, Any]:
    """The files with a segment of those who looked at shoes three times."""
    looked = {"count": "Product Viewed", "where": {"category": "Shoes"}, "within": within, "at_least": 3}
    return {"p.yaml": {**FILES["p.yaml"], "segments": [BOUGHT, {"name": "shoes", "rule": looked}]}}


def test_a_definition_that_is_put_back_takes_back_who_left_meanwhile() -> None:
    shop = Defining()
    shop.night()  # so that a look at these files is recorded
    shop.define("big", BIG)
    shop.follow()
    shop.define("big", HUGE)
    shop.clock.instant += MINUTE
    shop.send(shop.event("Page Viewed"), shop.order("o9", total=100))
    assert "big" not in shop.segments()
    shop.clock.instant += MINUTE
    shop.define("big", BIG)
    assert shop.follow().moved == 1
    assert "big" in shop.segments()


def test_a_deployment_that_is_rolled_back_puts_out_who_entered_meanwhile() -> None:
    shop = Defining()
    files = [{"p.yaml": {**FILES["p.yaml"], "segments": [BOUGHT, {"name": "big", **big}]}} for big in (BIG, HUGE)]
    deploy(shop, files[1])
    assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock)
    shop.follow()
    deploy(shop, files[0])
    shop.send(shop.event("Page Viewed"), shop.order("o9", total=100))
    assert "big" in shop.segments()
    deploy(shop, files[1])
    assert not deployed(programs=shop.programs, changes=MemoryQueue(), clock=shop.clock), "nobody knew of the others"
    assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock, rolled_back=True)
    assert shop.follow().moved == 1
    assert "big" not in shop.segments()


def looked_at_shoes() -> Defining:
    """`cat` looked at shoes three times, sixty days ago, and profiles keep it."""
    shop = Defining()
    deploy(shop, shoes("90d"))
    deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock)
    look_again(shop)
    look_again(shop)
    shop.follow()
    shop.follow()
    assert "shoes" in shop.segments("cat")
    shop.clock.instant += 60 * DAY
    return shop


def look_again(shop: Defining) -> None:
    shop.send(shop.event("Product Viewed", user_id="cat", properties={"category": "Shoes"}))


def test_a_window_that_was_shorter_for_minutes_is_filled_again() -> None:
    """Two deployments, each told: the fold has forgotten by the first what the second asks for."""
    shop = looked_at_shoes()
    for within in ("30d", "90d"):
        deploy(shop, shoes(within))
        assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock)
        look_again(shop)
        shop.clock.instant += 3 * MINUTE
    assert shop.programs.current().waiting == {"shoes"}
    assert shop.follow().rebuilt > 0
    shop.follow()
    assert "shoes" in shop.segments("cat")
    assert not shop.programs.current().waiting


def test_after_files_that_nobody_knew_of_profiles_are_compared_with_the_log() -> None:
    shop = looked_at_shoes()
    deploy(shop, shoes("30d"))
    look_again(shop)
    deploy(shop, shoes("90d"))
    look_again(shop)
    assert "shoes" not in shop.segments("cat"), "the fold has forgotten"
    assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock, rolled_back=True)
    assert shop.rebuild().is_wanted()
    assert shop.follow().rebuilt > 0
    assert "shoes" in shop.segments("cat")
    assert not shop.rebuild().is_wanted()


def idle_for_nights(shop: Shop) -> None:
    for _ in range(3):
        shop.night()


def test_a_new_value_is_news_to_whom_rules_before_did_not_move() -> None:
    shop = spenders(1000, 2000, 3000)
    segment, much = top(100)
    shop.deploy(BOUGHT, OFTEN, told="often")
    shop.night()
    shop.deploy(BOUGHT, OFTEN, segment, told="top", parameters=much)
    shop.noticed()
    idle_for_nights(shop)
    before = len(shop.sent())
    shop.send(shop.order("u2", total=3000, version=2, refunded=1500, user_id="u2"))
    shop.night()
    assert shop.state("u1").memberships["top"].trigger == "new values"
    assert len(shop.sent()) == before + 1


def shared_browser() -> Shop:
    """`u` has looked at two pages, and so has a browser that nobody has signed in with yet."""
    shop = Shop(load_program({"p.yaml": {"currency": "USD"}}))
    shop.deploy(VIEWED, OFTEN, told="often")
    shop.send(*shop.sign_up("u@example.com", user_id="u"))
    shop.send(*(shop.event("Page Viewed", user_id="u", anonymous_id="home") for _ in range(2)))
    shop.send(*(shop.event("Page Viewed", user_id=None, anonymous_id="x") for _ in range(3)))
    shop.night()
    return shop


def test_what_two_are_together_is_news_where_the_rule_is_old() -> None:
    shop = shared_browser()
    shop.deploy(VIEWED, OFTEN, KEEN, told="keen")
    shop.noticed()
    idle_for_nights(shop)
    shop.send(shop.event("Signed In", user_id="u", anonymous_id="x"))
    assert shop.state("u").memberships["keen"].trigger == "merge"
    assert shop.sent() == ["hello"]


def test_what_only_one_of_two_was_decided_by_is_new_to_both() -> None:
    shop = shared_browser()
    shop.send(shop.event("Page Viewed", user_id=None, anonymous_id="x"))
    shop.deploy(VIEWED, OFTEN, KEEN, told="keen")
    shop.noticed()
    shop.clock.instant += MINUTE
    shop.send(shop.order("o", user_id="u"))  # decided by the new rules; the browser is not
    shop.send(shop.event("Signed In", user_id="u", anonymous_id="x"))
    assert shop.state("u").memberships["keen"].trigger == NEW_RULES
    assert shop.sent() == []


def test_a_release_that_gives_nodes_more_fields_makes_no_new_rules() -> None:
    class Since2(Since):
        more: str | None = None

    Since2.__name__ = "Since"
    program = load_program({"p.yaml": {"currency": "USD", "segments": [gone("30d")]}})
    (segment,) = program.segments
    rule = Since2.model_construct(**segment.rule.__dict__)
    assert repr(rule) != repr(segment.rule)
    grown = replace(program, segments=(segment.model_copy(update={"rule": rule}),))
    assert marks_of(grown) == marks_of(program)
    other = load_program({"p.yaml": {"currency": "USD", "segments": [gone("31d")]}})
    assert marks_of(program) != marks_of(other)


def test_conditions_in_another_order_are_the_same_rule() -> None:
    conditions: dict[str, Any] = {"category": "Shoes", "price": {"above": 3}}

    def marks(where: dict[str, Any]) -> dict[str, str]:
        viewed = {"name": "viewed", "rule": {"count": "Product Viewed", "where": where, "at_least": 1}}
        return marks_of(load_program({"p.yaml": {"currency": "USD", "segments": [viewed]}}))

    assert marks(conditions) == marks(dict(reversed(conditions.items())))
    assert marks(conditions) != marks({**conditions, "price": {"above": 4}})


def test_a_value_of_another_unit_is_none() -> None:
    def usual(of: dict[str, Any], default: Any) -> dict[str, Any]:
        return {"much": {"percentile": 50, "of": of, "minimum_customers": 1, "default": default}}

    def at_least(of: dict[str, Any]) -> dict[str, Any]:
        return {"name": "top", "rule": {**of, "at_least": {"parameter": "much"}}}

    shop, orders, revenue = spenders(1000, 2000, 3000), {"count": "orders"}, {"sum": "orders.revenue"}
    shop.deploy(at_least(orders), told="top", parameters=usual(orders, 50))
    shop.night()
    assert shop.programs.current().values == {"much": 1}
    shop.deploy(at_least(revenue), told="top", parameters=usual(revenue, 500.00))
    assert shop.programs.current().values == {"much": 50_000}
    shop.night()
    assert shop.programs.current().values == {"much": 2000}


def test_a_flip_that_was_overdue_says_nothing_of_before_the_new_rules() -> None:
    """Ticks lagged: nobody fired what was due before `gone` was changed."""
    shop = spenders(5000)
    other = {"name": "other", "rule": {"since": "orders.last_at", "at_least": "20d"}}
    shop.deploy(other, gone("60d"), told="gone")
    shop.night()
    shop.clock.instant = ordered_at(shop) + 20 * DAY + 20 * MINUTE
    shop.deploy(other, gone(f"{20 * 24 * 60 + 10}m"), told="gone")
    shop.noticed()
    shop.advance(shop.clock.now() + timedelta(days=2))
    assert shop.state("u0").memberships.keys() == {"gone", "other"}
    assert shop.sent() == []
