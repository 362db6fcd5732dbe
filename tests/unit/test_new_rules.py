"""New rules speak of the past silently, by whatever way a segment depends on them; and wait for what is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from regulars.adapters.fitting_scores import fit_people
from regulars.adapters.memory.queue import MemoryQueue
from regulars.application.changes import deployed
from regulars.application.publishing import SETTLED
from regulars.application.refresh import RefreshReport, announce, refresh
from regulars.domain.engine import NEW_RULES
from regulars.domain.errors import TransientError
from regulars.domain.events import EventType
from regulars.domain.loading import load_program
from regulars.ports import QueueMessage
from tests.world import World

DAY = timedelta(days=1)
BOUGHT = {"name": "bought", "rule": {"count": "orders", "at_least": 1}}
OFTEN = {"name": "often", "rule": {"count": "orders", "at_least": 5}}
VIP = {"name": "vip", "rule": {"field": "traits.vip", "equals": "yes"}}
HELLO = {"name": "hello", "channel": "email", "template": "welcome", "once_per": "customer"}
AT_RISK = {"name": "at_risk", "rule": {"field": "churn_band", "equals": "high"}}
VIEWS = {"count": "Page Viewed", "within": "30d", "at_least": 3}


class Shop(World):
    """A world whose program files are changed; `hello` is for whoever enters the segment `told`."""

    def deploy(self, *segments: dict[str, Any], told: str, when: Any = None, **sections: Any) -> None:
        """Another program; what is known of the profiles, and the values, stay as they are."""
        campaign = {**HELLO, "segment": told} | ({} if when is None else {"when": when})
        files = {"p.yaml": {"currency": "USD", "segments": list(segments), "campaigns": [campaign], **sections}}
        self.use(load_program(files, self.programs.current().parameters))

    def night(self) -> RefreshReport:
        """The refresh, and those whom it moves, on the next day."""
        refresh(store=self.store, programs=self.programs, fit=fit_people, clock=self.clock)
        self.clock.instant += SETTLED
        report = announce(store=self.store, programs=self.programs, due=self.due, clock=self.clock)
        self.evaluate.due([(str(number), message.body) for number, message in enumerate(self.due.receive())])
        self.settle()
        self.advance(self.clock.now() + DAY)
        return report

    def noticed(self) -> bool:
        """The function that hears of deployments does."""
        return deployed(programs=self.programs, changes=MemoryQueue(), clock=self.clock)

    def keeps_everything(self) -> None:
        """Profiles keep all that the rules in force look at."""
        program = self.programs.current()
        parts, version = program.plan.parts(), program.parameters.version + 1
        self.programs.publish(replace(program.parameters, version=version, parts=parts))


def spenders(*amounts: int) -> Shop:
    """`u0`, `u1`...: each signed up, and spent so much."""
    shop = Shop(load_program({"p.yaml": {"currency": "USD"}}))
    for number, amount in enumerate(amounts):
        name = f"u{number}"
        shop.send(*shop.sign_up(f"{name}@example.com", user_id=name), shop.order(name, total=amount, user_id=name))
    return shop


def bands(low: Any) -> dict[str, Any]:
    high = {"name": "high", "rule": {"count": "orders", "at_least": 1}}
    return {"bands": [{"name": "low", "rule": low}, high]}


def recent(within: str) -> dict[str, Any]:
    return {"since": "orders.last_at", "below": within}


def outer(inner: int) -> list[dict[str, Any]]:
    return [
        {"name": "inner", "rule": {"sum": "orders.revenue", "at_least": inner}},
        {"name": "middle", "rule": {"not": {"not": {"segment": "inner"}}}},
        {"name": "outer", "rule": {"all": [{"segment": "middle"}, {"count": "orders", "at_least": 1}]}},
    ]


def test_who_is_in_a_segment_because_one_that_it_names_was_changed_hears_nothing() -> None:
    shop = spenders(5000)
    shop.deploy(*outer(1000), told="outer")
    shop.night()
    shop.deploy(*outer(1), told="outer")
    assert shop.night().changed == 1
    assert shop.state("u0").memberships["outer"].trigger == NEW_RULES
    assert not shop.sent()


def test_whom_a_changed_churn_band_moves_hears_nothing() -> None:
    shop = spenders(5000)
    shop.deploy(AT_RISK, told="at_risk", churn=bands(recent("90d")))
    shop.night()
    shop.advance(shop.clock.now() + 40 * DAY)
    shop.deploy(AT_RISK, told="at_risk", churn=bands(recent("30d")))
    assert shop.night().changed == 1
    assert shop.state("u0").memberships["at_risk"].trigger == NEW_RULES
    assert shop.state("u0").churn_band == "high"
    (change,) = [told for told in shop.told if told["name"] == "Churn Band Changed"][-1:]
    assert change["properties"]["trigger"] == NEW_RULES
    assert not shop.sent()


def test_whose_time_comes_in_an_unchanged_churn_band_is_written_to() -> None:
    shop = spenders(5000)
    shop.deploy(AT_RISK, told="at_risk", churn=bands(recent("90d")))
    shop.night()
    shop.deploy(AT_RISK, BOUGHT, told="at_risk", churn=bands(recent("90d")))
    shop.advance(shop.clock.now() + 100 * DAY)
    assert shop.sent() == ["hello"]


def top(percentile: int) -> tuple[dict[str, Any], dict[str, Any]]:
    rule = {"sum": "orders.revenue", "at_least": {"parameter": "much"}}
    of = {"sum": "orders.revenue"}
    much = {"percentile": percentile, "of": of, "minimum_customers": 1, "default": 1000.00}
    return {"name": "top", "rule": rule}, {"much": much}


def with_the_top() -> tuple[Shop, int]:
    """A shop of three, the one who spent most being `top`, and how many messages it sent."""
    shop = spenders(1000, 2000, 3000)
    segment, much = top(100)
    shop.deploy(segment, told="top", parameters=much)
    shop.night()
    return shop, len(shop.sent())


def test_whom_a_parameter_moves_because_it_is_computed_otherwise_hears_nothing() -> None:
    """Also who is evaluated under the changed file before it is computed: until then its old value stands."""
    shop, before = with_the_top()
    segment, much = top(10)
    shop.deploy(segment, told="top", parameters=much)
    shop.send(shop.event("", type=EventType.IDENTIFY, user_id="u1", traits={"email": "other@example.com"}))
    assert "top" not in shop.segments("u1")
    shop.night()
    assert [shop.state(name).memberships["top"].trigger for name in ("u0", "u1")] == [NEW_RULES] * 2
    assert len(shop.sent()) == before


def test_whom_a_new_value_of_the_same_parameter_moves_is_written_to() -> None:
    shop, before = with_the_top()
    shop.send(shop.order("u2", total=3000, version=2, refunded=1500, user_id="u2"))
    shop.night()
    assert "top" in shop.segments("u1")
    assert len(shop.sent()) == before + 1


@pytest.mark.parametrize("at_once", [False, True], ids=["evaluated after the look", "evaluated during the look"])
def test_a_rule_that_was_taken_out_and_is_put_back_is_new_to_who_has_no_state(*, at_once: bool) -> None:
    shop = Shop(load_program({"p.yaml": {"currency": "USD"}}))
    if at_once:
        shop.due = QuickConsumer(shop)
    shop.deploy(VIP, OFTEN, told="vip")
    shop.send(*shop.sign_up("u1@example.com", user_id="u1"))
    shop.night()
    shop.deploy(OFTEN, told="often")
    shop.night()
    shop.send(shop.event("", type=EventType.IDENTIFY, user_id="u1", traits={"vip": "yes"}))
    assert shop.state("u1").clock is None
    shop.deploy(VIP, OFTEN, told="vip")
    shop.night()
    assert shop.state("u1").memberships["vip"].trigger == NEW_RULES
    assert not shop.sent()


class QuickConsumer(MemoryQueue):
    """The due queue of a shop where whoever is brought up is evaluated before `send` returns."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Take them, and work them off."""
        super().send(messages)
        self._shop.evaluate.due([(str(number), message.body) for number, message in enumerate(self.receive())])
        self._shop.settle()


def watched() -> Shop:
    """`u0` viewed five pages, which nothing kept; a day went by."""
    shop = spenders()
    shop.deploy(BOUGHT, told="bought")
    shop.send(*shop.sign_up("u0@example.com", user_id="u0"))
    shop.send(*(shop.event("Page Viewed", user_id="u0") for _ in range(5)))
    shop.keeps_everything()
    shop.night()
    return shop


def test_churn_bands_wait_for_what_they_look_at_and_so_does_who_reads_them() -> None:
    shop = watched()
    shop.send(shop.order("o1", user_id="u0"))
    messages = len(shop.sent())
    shop.deploy(BOUGHT, AT_RISK, told="at_risk", churn=bands(VIEWS))
    assert shop.programs.current().waiting == {"at_risk"}
    shop.send(shop.event("Page Viewed", user_id="u0"))
    assert shop.night().changed == 0
    assert (shop.state("u0").churn_band, shop.segments("u0")) == (None, {"bought"})
    shop.keeps_everything()
    assert shop.night().changed == 1
    assert (shop.state("u0").churn_band, shop.segments("u0")) == ("high", {"bought", "at_risk"})
    assert len(shop.sent()) == messages


def entered_while_held(**campaign: Any) -> Shop:
    shop = watched()
    shop.deploy(BOUGHT, told="bought", when=VIEWS, **campaign)
    shop.send(shop.order("o1", user_id="u0"))
    shop.advance(shop.clock.now() + timedelta(hours=1))
    return shop


def test_a_campaign_is_held_until_profiles_keep_what_its_condition_looks_at() -> None:
    shop = entered_while_held()
    assert not shop.withheld()
    assert not shop.sent()
    assert set(shop.state("u0").pending) == {"hello"}
    shop.send(*(shop.event("Page Viewed", user_id="u0") for _ in range(5)))
    shop.keeps_everything()
    assert shop.night().changed == 1
    assert shop.sent() == ["hello"]


def test_a_held_campaign_that_is_too_late_is_withheld() -> None:
    shop = entered_while_held()
    shop.advance(shop.clock.now() + 2 * DAY)
    shop.send(*(shop.event("Page Viewed", user_id="u0") for _ in range(5)))
    shop.keeps_everything()
    shop.night()
    assert (shop.sent(), shop.withheld()) == ([], [("hello", "expired")])


def test_a_parameter_keeps_its_value_while_what_it_is_made_of_is_not_kept() -> None:
    shop = watched()
    many = {"name": "many", "rule": {"field": "orders.count", "at_least": {"parameter": "usual"}}}
    usual = {"percentile": 50, "of": {"count": "Page Viewed"}, "minimum_customers": 1, "default": 7}
    shop.deploy(BOUGHT, many, told="many", parameters={"usual": usual})
    shop.send(shop.event("Page Viewed", user_id="u0"))
    shop.night()
    assert shop.programs.current().values == {"usual": 7}
    shop.keeps_everything()
    shop.night()
    assert shop.programs.current().values == {"usual": 1}


def gone(at_least: str) -> dict[str, Any]:
    return {"name": "gone", "rule": {"since": "orders.last_at", "at_least": at_least}}


def ordered_at(shop: Shop) -> datetime:
    return shop.customer("u0").orders()[-1][0]


def buyer_of_old() -> Shop:
    """`u0` ordered twenty-four days and twenty hours ago, and has been brought up for nothing since."""
    shop = spenders(5000)
    shop.deploy(gone("30d"), told="gone")
    shop.night()
    shop.advance(ordered_at(shop) + timedelta(days=24, hours=20))
    return shop


def test_whose_time_comes_after_new_rules_came_into_force_is_written_to() -> None:
    """Nobody looks at `u0` between the deployment and the night, when their twenty-five days are over."""
    shop = buyer_of_old()
    shop.deploy(gone("25d"), told="gone")
    assert shop.noticed()
    shop.advance(shop.clock.now() + timedelta(hours=12))
    assert shop.night().changed == 1
    entered = shop.state("u0").memberships["gone"]
    assert (entered.trigger, entered.since) == ("due", ordered_at(shop) + 25 * DAY)
    assert shop.sent() == ["hello"]


def test_whose_time_had_come_before_new_rules_came_into_force_hears_nothing() -> None:
    shop = buyer_of_old()
    shop.deploy(gone("24d"), told="gone")
    assert shop.noticed()
    shop.advance(shop.clock.now() + timedelta(hours=12))
    assert shop.night().changed == 1
    assert shop.state("u0").memberships["gone"].trigger == NEW_RULES
    shop.advance(shop.clock.now() + 30 * DAY)
    assert not shop.sent()


def test_of_rules_that_were_noticed_late_the_past_ends_when_they_were() -> None:
    """No word of the deployment came: the night notices it, and what comes due from then on is news."""
    shop = buyer_of_old()
    shop.deploy(gone("25d"), told="gone")
    shop.clock.instant += timedelta(hours=3, minutes=58)
    shop.night()
    assert shop.state("u0").memberships["gone"].trigger == "due"
    assert shop.sent() == ["hello"]


def test_a_deployment_is_told_once_and_before_it_is_noted() -> None:
    shop = buyer_of_old()
    assert shop.noticed()
    shop.deploy(gone("25d"), told="gone")
    changes = MemoryQueue()
    assert deployed(programs=shop.programs, changes=changes, clock=shop.clock)
    assert not deployed(programs=shop.programs, changes=changes, clock=shop.clock)
    (message,) = changes.receive()
    assert message.delay_seconds > SETTLED.total_seconds()

    class Full(MemoryQueue):
        def send(self, messages: Any) -> None:  # noqa: ARG002 - the port's
            raise TransientError("the queue takes nothing")

    shop.deploy(gone("26d"), told="gone")
    with pytest.raises(TransientError):
        deployed(programs=shop.programs, changes=Full(), clock=shop.clock)
    assert deployed(programs=shop.programs, changes=changes, clock=shop.clock)
