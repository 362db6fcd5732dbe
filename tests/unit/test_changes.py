"""A definition that is put acts on everybody within minutes; what is lost on the way, the night makes up for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from regulars.adapters.fitting_scores import fit_people
from regulars.adapters.memory.dead_letters import MemoryDeadLetters
from regulars.adapters.memory.definitions import MemoryDefinitionStore
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.spill import MemorySpill
from regulars.application.changes import ChangesReport, FollowChanges, deployed
from regulars.application.publishing import SETTLED
from regulars.application.rebuild import Rebuild, Slice
from regulars.application.reconcile import Reconcile
from regulars.application.refresh import announce, refresh
from regulars.application.segments.definitions import HEARD_AFTER, Definitions
from regulars.domain.definitions import DefinitionSet
from regulars.domain.engine import NEW_RULES
from regulars.domain.errors import TransientError, VersionConflictError
from regulars.domain.loading import load_program
from tests.world import World

FILES: dict[str, Any] = {
    "p.yaml": {
        "currency": "USD",
        "segments": [{"name": "bought", "rule": {"count": "orders", "at_least": 1}}],
        "campaigns": [
            {"name": "hello", "channel": "email", "template": "welcome", "segment": "bought", "once_per": "customer"}
        ],
    }
}
BIG = {"rule": {"sum": "orders.revenue", "at_least": 100}}
SHOES = {"rule": {"count": "Product Viewed", "where": {"category": "Shoes"}, "at_least": 1}}
LATER = {"name": "later", "rule": {"since": "orders.last_at", "at_least": "2h"}}
MINUTE = timedelta(minutes=1)


class Overtaken(MemoryDefinitionStore):
    """Somebody else's set comes first, once, a minute before."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock
        self._lost = False

    def put_in_force(self, definitions: DefinitionSet) -> None:
        """Refuse the first attempt."""
        if not self._lost:
            self._lost = True
            self._clock.instant += MINUTE
            raise VersionConflictError("another came first")
        super().put_in_force(definitions)


class Shop(World):
    """A world whose operators put definitions: `ann` spent 120, `bob` 20, and `cat` looked at shoes an hour ago."""

    def __init__(self, *, overtaken: bool = False) -> None:
        super().__init__(load_program(FILES))
        self.put = Overtaken(self.clock) if overtaken else MemoryDefinitionStore()
        self.programs = self.update._programs = self.evaluate._programs = MemoryProgramStore(
            load_program(FILES), FILES, self.put
        )
        self.changes, self.lost = MemoryQueue(), MemoryDeadLetters()
        self.definitions = Definitions(
            store=self.put, basis=self.programs.basis, programs=self.programs, changes=self.changes, clock=self.clock
        )
        self.send(self.order("o1", total=12_000), self.order("o2", total=2_000, user_id="bob"))
        self.send(self.event("Product Viewed", user_id="cat", properties={"category": "Shoes"}))
        known = replace(self.programs.current().parameters, version=1, parts=self.programs.current().plan.parts())
        self.programs.publish(known)
        self.clock.instant += 60 * MINUTE

    def define(self, name: str, data: dict[str, Any]) -> None:
        current = self.put.in_force().definitions.get(name)
        self.definitions.put(name, data, by="operator", expected=current.version if current else None)

    def rebuild(self) -> Rebuild:
        return Rebuild(
            log=self.log, store=self.store, catalogue=self.catalogue, programs=self.programs, spill=MemorySpill(),
            clock=self.clock, ids=CountedIds("follow-"),
        )  # fmt: skip

    def follow(self, *, until: datetime | None = None) -> ChangesReport:
        """The messages that are there are heard, each when its time has come; and who is brought up is evaluated."""
        messages = self.changes.receive()
        self.clock.instant += timedelta(seconds=max(message.delay_seconds for message in messages))
        use_case = FollowChanges(
            rebuild=self.rebuild(), store=self.store, programs=self.programs, changes=self.changes, due=self.due,
            lost=self.lost, clock=self.clock,
        )  # fmt: skip
        report = use_case([(str(number), message.body) for number, message in enumerate(messages)], until=until)
        self.bring_up()
        return report

    def bring_up(self) -> None:
        self.settle()
        self.evaluate.due([(str(number), message.body) for number, message in enumerate(self.due.receive())])
        self.settle()

    def night(self) -> int:
        """The refresh, and whom it moves: how many."""
        refresh(store=self.store, programs=self.programs, fit=fit_people, clock=self.clock)
        self.clock.instant += 9 * SETTLED
        changed = announce(store=self.store, programs=self.programs, due=self.due, clock=self.clock).changed
        self.bring_up()
        return changed


def test_whom_a_definition_holds_is_in_it_minutes_later_and_nobody_else_is_evaluated() -> None:
    shop = Shop()
    shop.define("big", BIG)
    report = shop.follow()
    assert (report.looked_at, report.moved, report.rebuilt) == (3, 1, 0)
    assert shop.segments() == {"bought", "big"}
    assert shop.state().memberships["big"].trigger == NEW_RULES
    assert shop.segments("bob") == {"bought"}


def test_a_change_is_heard_only_when_it_is_in_force_everywhere() -> None:
    shop = Shop()
    shop.define("big", BIG)
    (message,) = shop.changes.messages
    assert message.delay_seconds == HEARD_AFTER.total_seconds() > SETTLED.total_seconds()


def test_who_was_in_a_definition_that_was_taken_out_leaves_it() -> None:
    shop = Shop()
    shop.define("big", BIG)
    shop.follow()
    shop.definitions.withdraw("big", expected=1)
    assert shop.follow().moved == 1
    assert shop.segments() == {"bought"}
    assert [told["name"] for told in shop.told][-1] == "Segment Exited"


def test_several_changes_in_a_row_cost_one_look() -> None:
    shop = Shop()
    shop.night()
    for amount in (10, 50, 100):
        shop.define("big", {"rule": {"sum": "orders.revenue", "at_least": amount}})
        shop.clock.instant += MINUTE
    heard = [shop.changes.messages.pop(0) for _ in range(3)]
    looks = []
    for message in heard:
        shop.changes.send([message])
        looks.append(shop.follow().looked_at)
    assert looks == [0, 0, 3]
    assert (shop.segments(), shop.segments("bob")) == ({"bought", "big"}, {"bought"})


def test_a_message_that_comes_twice_looks_once() -> None:
    shop = Shop()
    shop.night()
    shop.define("big", BIG)
    shop.changes.messages *= 2
    (first, again) = shop.changes.receive()
    shop.changes.send([first])
    assert shop.follow().looked_at == 3
    shop.changes.send([again])
    assert shop.follow().looked_at == 0


def test_what_a_definition_newly_looks_at_is_filled_first() -> None:
    """And looked through when that is in force everywhere: `ann` and `bob` need no filling, and are moved."""
    shop = Shop()
    shop.define("shoes", SHOES)
    shop.define("no_shoes", {"rule": {"not": SHOES["rule"]}})
    assert shop.programs.current().waiting == {"shoes", "no_shoes"}
    report = shop.follow()
    assert (report.looked_at, report.rebuilt) == (0, 1)
    assert shop.programs.current().waiting == set()
    assert shop.segments() == {"bought"}
    (message,) = shop.changes.messages
    assert message.delay_seconds == SETTLED.total_seconds()
    assert shop.follow().moved == 2
    assert [shop.segments(name) for name in ("ann", "cat")] == [{"bought", "no_shoes"}, {"shoes"}]
    assert not shop.changes.messages


def test_what_nobody_asked_for_meanwhile_is_filled_again() -> None:
    """The definition is taken out, shoes are looked at, and it is put again: nobody had kept that."""
    shop = Shop()
    shop.define("shoes", SHOES)
    shop.follow()
    shop.follow()
    shop.definitions.withdraw("shoes", expected=1)
    shop.send(shop.event("Product Viewed", user_id="bob", properties={"category": "Shoes"}))
    shop.follow()
    shop.define("shoes", SHOES)
    assert shop.programs.current().waiting == {"shoes"}
    shop.follow()
    shop.follow()
    assert shop.segments("bob") == {"bought", "shoes"}


def test_a_fold_that_is_late_by_day_stops_nothing_and_loses_nothing() -> None:
    """Three hours of it wait in the queue: that is left to the fold, and is new when it comes."""
    shop = Shop()
    keys = shop.log.append([*shop.sign_up("dan@example.com", user_id="dan"), shop.order("o3", user_id="dan")])
    shop.clock.instant += 180 * MINUTE
    shop.define("shoes", SHOES)
    shop.follow()
    assert shop.programs.current().waiting == set()
    shop.update([("late", keys)])
    shop.settle()
    assert shop.segments("dan") == {"bought"}
    assert "hello" in "".join(shop.state("dan").decided)


@pytest.mark.parametrize("trouble", ["no time", "letters"])
def test_what_cannot_be_filled_now_waits_for_the_night_and_the_rest_does_not(trouble: str) -> None:
    shop = Shop()
    shop.define("shoes", SHOES)
    shop.define("big", BIG)
    if trouble == "letters":
        shop.lost.put("{}", shop.clock.instant)
    report = shop.follow(until=shop.clock.instant if trouble == "no time" else None)
    assert (report.moved, report.waiting, report.rebuilt) == (1, True, 0)
    assert (shop.segments(), shop.segments("cat")) == ({"bought", "big"}, set())


def test_a_message_that_was_lost_is_made_up_for_by_the_night() -> None:
    shop = Shop()
    shop.define("big", BIG)
    shop.changes.receive()
    assert shop.night() == 1
    assert shop.segments() == {"bought", "big"}
    assert shop.night() == 0


def test_what_a_night_fills_is_looked_through_minutes_later() -> None:
    """The word of the change was heard, and there were letters that nobody could fold."""
    shop = Shop()
    shop.define("no_shoes", {"rule": {"not": SHOES["rule"]}})
    shop.lost.put("{}", shop.clock.instant)
    shop.follow()
    use_case = Reconcile(
        rebuild=shop.rebuild(), store=shop.store, due=shop.due, waiting=(), clock=shop.clock, changes=shop.changes
    )
    for _ in range(2):
        use_case(Slice(0, 7))
    assert len(shop.changes.messages) == 1
    assert shop.follow().moved == 2
    assert shop.segments() == {"bought", "no_shoes"}


def test_after_a_look_the_night_has_nothing_to_do() -> None:
    shop = Shop()
    shop.night()
    shop.define("big", BIG)
    shop.follow()
    version = shop.programs.current().parameters.announced
    assert version == shop.programs.current().version
    shop.clock.instant += 9 * SETTLED
    assert announce(store=shop.store, programs=shop.programs, due=shop.due, clock=shop.clock).customers == 0


def test_under_files_that_no_night_has_seen_the_next_night_looks_once_more() -> None:
    """They may not be deployed everywhere yet: who was brought up may have been decided by the files before them."""
    shop = Shop()
    shop.define("big", BIG)
    shop.follow()
    assert shop.programs.current().parameters.announced is None
    refresh(store=shop.store, programs=shop.programs, fit=fit_people, clock=shop.clock)
    shop.clock.instant += SETTLED
    assert announce(store=shop.store, programs=shop.programs, due=shop.due, clock=shop.clock).customers == 3


def test_a_night_that_comes_between_is_waited_for() -> None:
    shop = Shop()
    shop.define("big", BIG)
    shop.clock.instant += 4 * MINUTE
    refresh(store=shop.store, programs=shop.programs, fit=fit_people, clock=shop.clock)
    (message,) = shop.changes.receive()
    shop.changes.send([replace(message, delay_seconds=90)])
    assert shop.follow().looked_at == 0
    assert [again.delay_seconds for again in shop.changes.messages] == [210]
    assert shop.follow().moved == 1


def test_a_look_and_a_night_that_publish_at_once_lose_nothing_of_each_other() -> None:
    """The definition is looked through while the night's values are being computed."""
    shop = Shop()
    shop.night()
    shop.define("big", BIG)

    def meanwhile(people: Any, now: datetime) -> Any:
        found = fit_people(people, now)
        shop.follow()
        return found

    shop.clock.instant += MINUTE
    before = shop.programs.current().parameters
    refresh(store=shop.store, programs=shop.programs, fit=meanwhile, clock=shop.clock)
    parameters = shop.programs.current().parameters
    assert parameters.computed_at != before.computed_at
    assert parameters.announced != before.announced
    assert shop.segments() == {"bought", "big"}


def test_who_comes_second_is_told_of_anew() -> None:
    """Somebody else's set came first; the word that was sent names an instant that no set bears."""
    shop = Shop(overtaken=True)
    shop.define("big", BIG)
    first, second = shop.changes.receive()
    shop.changes.send([first])
    assert shop.follow().looked_at == 0
    shop.changes.send([second])
    assert shop.follow().moved == 1


def test_a_put_that_cannot_be_told_is_not_made() -> None:
    shop = Shop()
    shop.changes.available = False
    with pytest.raises(TransientError):
        shop.define("big", BIG)
    assert shop.put.in_force().version == 0


def test_of_a_new_store_nobody_knows_what_profiles_keep_so_they_are_filled_at_once() -> None:
    shop = Shop()
    shop.programs._program = load_program(FILES)
    shop.define("shoes", SHOES)
    report = shop.follow()
    assert report.rebuilt == 1
    assert shop.segments("cat") == {"shoes"}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"changed_at": "x"}', '{"changed_at": 1e99}'])
def test_what_nobody_can_read_comes_again_and_holds_up_nobody(body: str) -> None:
    shop = Shop()
    shop.define("big", BIG)
    (message,) = shop.changes.receive()
    shop.changes.send([replace(message, body=body), message])
    report = shop.follow()
    assert (report.failed, report.moved) == (frozenset({"0"}), 1)


def with_files(shop: Shop, *segments: dict[str, Any]) -> None:
    """Other files are deployed, and the word of it comes."""
    files = {"p.yaml": {**FILES["p.yaml"], "segments": [*FILES["p.yaml"]["segments"], *segments]}}
    program = load_program(files, shop.programs.current().parameters)
    shop.programs = shop.update._programs = shop.evaluate._programs = MemoryProgramStore(program, files, shop.put)
    assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock)


def test_deployed_files_act_as_definitions_do() -> None:
    shop = Shop()
    with_files(shop, {"name": "big", **BIG})
    report = shop.follow()
    assert (report.looked_at, report.moved) == (3, 1)
    assert shop.segments() == {"bought", "big"}
    parameters = shop.programs.current().parameters
    assert parameters.announced == shop.programs.current().version
    with_files(shop, {"name": "big", **BIG}, {"name": "shoes", **SHOES})
    assert shop.follow().rebuilt == 1
    assert shop.follow().looked_at == 3
    assert shop.segments("cat") == {"shoes"}


def test_whose_time_comes_between_a_definition_and_the_look_is_written_to() -> None:
    """`ann` ordered an hour ago; the definition is put two minutes before she is in it."""
    shop = Shop()
    shop.send(*shop.sign_up())
    files = {"p.yaml": {**FILES["p.yaml"], "segments": [*FILES["p.yaml"]["segments"], LATER]}}
    files["p.yaml"]["campaigns"] = [{**FILES["p.yaml"]["campaigns"][0], "name": "later", "segment": "later"}]
    shop.clock.instant = shop.customer().orders()[-1][0] + timedelta(hours=2) - 2 * MINUTE
    program = load_program(files, shop.programs.current().parameters)
    shop.programs = shop.update._programs = shop.evaluate._programs = MemoryProgramStore(program, files, shop.put)
    assert deployed(programs=shop.programs, changes=shop.changes, clock=shop.clock)
    shop.follow()
    assert shop.state().memberships["later"].trigger == "due"
    assert shop.sent() == ["later"]
