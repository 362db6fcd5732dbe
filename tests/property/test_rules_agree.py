"""One rule, asked of one customer and asked of everybody, has one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from regulars.adapters.population.everybody import evaluate_table
from regulars.adapters.population.snapshot import schema_of, table_of
from regulars.domain.errors import BadInputError
from regulars.domain.plan import plan_of_rules
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule, Evaluator
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.tree import parse_rule
from tests.rule_edges import EDGE_RULES, RICH
from tests.rule_histories import Data, History, edges, spans_in
from tests.rule_samples import DAY, NOON, TICK
from tests.rule_strategies import CONTEXT, PARAMETERS, combined, histories, plain_leaves, rules

zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")])


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database in memory for all examples."""
    with duckdb.connect(config={"threads": 1}) as database:
        yield database


def parsed(data: Data) -> Any:
    """The rule; None where chance made its own bounds contradict each other."""
    try:
        return parse_rule(data, context=CONTEXT)
    except BadInputError:
        return None


def asked(bands: Sequence[Data], base: Data, further: Data, others: Sequence[Data], zone: tzinfo) -> Asked:
    """A program of random rules: two bands, a segment that others name, one that names it, and more."""
    made = [parsed(data) or parse_rule({"count": "orders", "at_least": 1}) for data in (*bands, base, further, *others)]
    low, high, *segments = made
    named = {"base": segments[0], "further": segments[1]}
    names = ["base", "further", *(f"s{number}" for number in range(len(others)))]
    return Asked(
        [("low", low), ("high", high)], list(zip(names, segments, strict=True)), Setting(PARAMETERS, zone, named)
    )


simple = combined(plain_leaves, most=2)


@settings(
    max_examples=30, phases=[Phase.explicit, Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    st.tuples(simple, simple),
    simple,
    simple.map(lambda rule: {"any": [{"segment": "base"}, rule]}),
    st.lists(rules, min_size=3, max_size=6),
    st.lists(histories, min_size=2, max_size=4, unique_by=lambda history: history.root),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1)), min_size=5, max_size=5),
    zones,
)
def test_everybody_is_told_what_each_is_told(  # noqa: PLR0917 - what is drawn
    connection: duckdb.DuckDBPyConnection,
    bands: tuple[Data, Data],
    base: Data,
    further: Data,
    others: list[Data],
    people: list[History],
    picks: list[tuple[int, int]],
    zone: tzinfo,
) -> None:
    questions = asked(bands, base, further, others, zone)
    evaluator = Evaluator(
        churn_bands=questions.bands, segments=questions.segments, conditions={}, setting=questions.setting
    )
    try:
        plan = plan_of_rules(questions.rules())
    except BadInputError:  # together they look at more days than a profile keeps
        reject()
    views = [history.view(plan, NOON, zone) for history in people]
    columns = questions.layout()
    table = table_of(views, columns, schema_of(columns))
    moments = sorted(edges(people, spans_in([*bands, base, further, *others])))
    for pick, ticks in picks:
        then = max(moments[pick % len(moments)] - ticks * TICK, NOON) if moments else NOON
        rows = evaluate_table(table, questions, then, connection=connection)
        for (root, band, members), view in zip(rows, views, strict=True):
            one = evaluator.evaluate(view, then)
            assert (root, band) == (view.root, one.churn_band), then
            for name, rule in questions.segments:
                assert (name in members) is (name in one.memberships), (name, rule, then)


def test_at_every_edge_of_a_rich_history(connection: duckdb.DuckDBPyConnection) -> None:
    rules_by_name = {f"s{number}": parse_rule(data, context=CONTEXT) for number, data in enumerate(EDGE_RULES)}
    questions = Asked((), tuple(rules_by_name.items()), Setting(zone=ZoneInfo("Europe/Berlin")))
    view = RICH.view(plan_of_rules(questions.rules()), NOON, questions.setting.zone)
    columns = questions.layout()
    table = table_of([view], columns, schema_of(columns))
    single = {name: CompiledRule(rule, questions.setting) for name, rule in rules_by_name.items()}
    turned = {(name, rule.verdict(view, NOON)) for name, rule in single.items()}
    for edge in sorted(edges([RICH], spans_in(EDGE_RULES))):
        for then in (edge - TICK, edge):
            if NOON <= then < NOON + 9 * DAY:
                ((_, _, members),) = evaluate_table(table, questions, then, connection=connection)
                assert members == {name for name, rule in single.items() if rule.verdict(view, then)}, then
                turned |= {(name, name in members) for name in single}
    assert len(turned) > 1.5 * len(single)  # most of them turn
