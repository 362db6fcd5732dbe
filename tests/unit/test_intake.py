"""Intake: what the lake keeps of an event, with what was found out about it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from regulars.adapters.bots import CrawlerList
from regulars.adapters.contract_files import newest_contracts
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.program_files import parsed_yaml, program_files
from regulars.application.ingest import IngestReport, ingest
from regulars.application.replay_bad import Selection, replay_bad
from regulars.domain.errors import BadInputError
from regulars.domain.events import Event, EventType, Trust, event_from_doc
from regulars.domain.facts import fact_of
from regulars.domain.loading import load_program
from regulars.domain.program import Program
from regulars.domain.sources import Source, Sources, load_sources
from tests.lake_samples import BROWSER, CONTRACTS, a_message, an_event, an_intake
from tests.world import PROGRAM_FOLDER, World, starter_program

AGENT = {"userAgent": BROWSER}
STRICT = Sources({"web": Source(strict=True)})
BROKEN = an_event(1, properties={"price": "1.50", "product_id": "p1"})


def identify(**traits: Any) -> Event:
    return an_event(1, type=EventType.IDENTIFY, name=None, properties={}, traits=traits)


def stored(*events: Event, sources: Sources | None = None) -> tuple[MemoryEventLog, IngestReport]:
    log = MemoryEventLog()
    report = ingest(
        [("m", a_message(list(events)))],
        log=log,
        bots=CrawlerList(),
        intake=an_intake(sources),
        catalogue=MemoryCatalogue(),
    )
    return log, report


class TestContactData:
    def test_it_is_kept_in_one_form_and_what_was_sent_beside_it(self) -> None:
        kept = an_intake(Sources(region="US"))(identify(email=" Ann@Example.com", phone="(555) 555-0100", city="Ulm"))
        assert kept.traits == {
            "email": "ann@example.com", "email_flags": "none", "phone": "+15555550100", "city": "Ulm",
        }  # fmt: skip
        assert kept.context["quality"]["changed"] == {"email": " Ann@Example.com", "phone": "(555) 555-0100"}

    def test_what_is_no_address_names_nobody_and_is_kept_beside(self) -> None:
        kept = an_intake()(identify(email="ann at example", phone="none"))
        assert kept.traits == {}
        assert kept.context["quality"]["changed"] == {"email": "ann at example", "phone": "none"}

    def test_an_address_becomes_traits_and_says_the_country_of_the_number(self) -> None:
        kept = an_intake(Sources(region="US"))(identify(phone="030 123456", address={"country": "Germany"}))
        assert kept.traits == {"phone": "+4930123456", "address": {"country": "DE"}, "address_country": "DE"}

    def test_flags_are_ours_to_say(self) -> None:
        assert an_intake()(identify(email_flags="none", size="L")).traits == {"size": "L"}
        assert an_intake()(identify(email="a@mailinator.com", email_flags="none")).traits["email_flags"] == "disposable"

    def test_rules_can_ask_for_flags_and_a_younger_address_takes_them_away(self) -> None:
        """`traits.email_flags` is an operand like any other trait."""
        rule = {"field": "traits.email_flags", "contains": "disposable"}
        world = World(_program_with(rule))
        world.send(an_intake()(_said(world, "ann@mailinator.com")))
        assert "throwaway" in world.segments()
        world.send(an_intake()(_said(world, "ann@example.com")))
        assert "throwaway" not in world.segments()

    def test_an_event_with_nothing_to_say_about_stays_the_very_same(self) -> None:
        for event in (an_event(1), an_event(2, trust=Trust.SYSTEM, context={"quality": {}}), identify(city="Ulm")):
            assert an_intake()(event) is event

    def test_taking_in_what_was_taken_in_changes_no_trait(self) -> None:
        once = an_intake()(identify(email="Ann@MÜLLER.example.com", phone="+1 555 555 0100", address={"country": "de"}))
        assert an_intake()(once).traits == once.traits


class TestParties:
    def test_a_declared_third_party_is_noted_and_nobody_can_say_it_of_himself(self) -> None:
        bought = Sources({"web": Source(party="third_party")})
        assert an_intake(bought)(identify(city="Ulm")).context["quality"] == {"party": "third_party"}
        forged = replace(identify(city="Ulm"), context=AGENT | {"quality": {"party": "third_party"}})
        assert an_intake()(forged).context == AGENT

    def test_what_is_noted_reaches_the_fold(self) -> None:
        bought = Sources({"web": Source(party="third_party")})
        fact = fact_of(an_intake(bought)(identify(city="Ulm")), currency="USD")
        assert fact is not None
        assert (fact.source, fact.third_party) == ("web", True)


class TestContracts:
    def test_a_violation_is_counted_and_noted_without_its_value(self) -> None:
        log, report = stored(BROKEN, an_event(2))
        first, second = [event for key in log.keys() for event in log.read(key)]  # noqa: SIM118
        assert first.context["quality"] == {"contract": "product-viewed@1", "violations": ["type:/properties/price"]}
        assert "quality" not in second.context
        assert (report.events, report.bad_rows, report.violations) == (2, 0, 1)

    def test_what_is_missing_is_named(self) -> None:
        kept = an_intake()(an_event(1, properties={"products": []}))
        assert kept.context["quality"]["violations"] == ["required:/properties/product_id"]

    def test_a_strict_sources_violation_is_a_bad_row_that_can_be_replayed_once_it_is_mended(self) -> None:
        log, report = stored(BROKEN, sources=STRICT)
        (key,) = log.bad_keys()
        (row,) = log.read_bad(key)
        assert (report.events, report.bad_rows, report.violations) == (0, 1, 1)
        assert (row.code, row.stage, row.event_id) == ("contract_violation", "ingest", BROKEN.event_id)
        assert row.detail == "product-viewed@1: type:/properties/price"
        assert event_from_doc(orjson.loads(row.original)) == BROKEN

        def replayed(sources: Sources) -> int:
            intake = an_intake(sources)
            return replay_bad(log=log, replays=log, bots=CrawlerList(), intake=intake, selection=Selection()).replayed

        assert [replayed(STRICT), replayed(Sources()), replayed(Sources())] == [0, 1, 0]

    @pytest.mark.parametrize("hostile", [2**63, -(2**63), 1e308, "\x00", "\u2028", [[[]]] * 50, {"a": {}}, None, True])
    def test_no_value_stops_the_intake_or_is_told(self, hostile: Any) -> None:
        names = ("Product Added", "Order Completed", "Survey Answered", "Ticket Opened", "Consent Updated")
        for name in names:
            for field in ("product_id", "products", "price", "ticket_id", "status", "score", "order_id"):
                kept = an_intake()(an_event(1, name=name, properties={field: hostile}))
                assert "8446744" not in str(kept.context.get("quality", ""))

    def test_a_flood_of_mistakes_is_noted_by_its_first_few(self) -> None:
        kept = an_intake()(an_event(1, name="Cart Viewed", properties={"products": [{}] * 500}))
        assert 1 <= len(kept.context["quality"]["violations"]) <= 10


class TestDeclarations:
    def test_the_shipped_sources_are_right(self) -> None:
        sources = load_sources(program_files(PROGRAM_FOLDER))
        assert sources.is_third_party("enrichment-example")
        assert sources.region == "US"
        assert not sources.is_third_party("web")
        assert not sources.is_strict("web")

    @pytest.mark.parametrize(
        ("data", "path"),
        [
            ({"sources": {"a": {"party": "second_party"}}}, "sources.a.party"),
            ({"sources": {"a": {"strickt": True}}}, "sources.a.strickt"),
            ({"sources": ["a"]}, "sources"),
            ({"sources": {"a b": {}}}, "sources.a b"),
            ({"region": "Germany"}, "region"),
        ],
    )
    def test_a_mistake_is_named_with_its_file_and_path(self, data: dict[str, Any], path: str) -> None:
        with pytest.raises(BadInputError) as caught:
            load_sources({"sources.yaml": data})
        assert caught.value.detail.startswith(f"sources.yaml: {path}")


def _said(world: World, email: str) -> Event:
    return world.event("", type=EventType.IDENTIFY, traits={"email": email})


def _program_with(rule: dict[str, Any]) -> Program:
    assert starter_program().currency == "USD"
    return load_program({"p.yaml": {"currency": "USD", "segments": [{"name": "throwaway", "rule": rule}]}})


def test_the_examples_of_the_documentation_are_right() -> None:
    """Each YAML block of docs/quality.md is a piece of a program."""
    page = (PROGRAM_FOLDER.parent / "docs" / "quality.md").read_text()
    blocks = [parsed_yaml(block, name="docs") for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    segments = [segment for block in blocks if isinstance(block, list) for segment in block]
    sources = next(block for block in blocks if isinstance(block, dict))
    program = load_program({"p.yaml": {"currency": "USD", "segments": segments}, "sources.yaml": sources})
    assert [segment.name for segment in program.segments] == ["reachable_people", "waiting_for_support"]
    assert load_sources({"sources.yaml": sources}).is_strict("helpdesk")


def test_the_documentation_lists_every_support_and_social_event() -> None:
    page = (PROGRAM_FOLDER.parent / "docs" / "quality.md").read_text()
    names = [name for name in newest_contracts(CONTRACTS) if name.startswith(("Live Chat", "Ticket"))]
    assert len(names) == 7
    assert all(f"`{name}`" in page for name in (*names, "Mentioned", "Product Reviewed", "Traits Enriched"))
