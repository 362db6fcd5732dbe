"""Rules as SQL: what a query says, what a snapshot keeps, and that nothing is answered from what is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from infra.bench.pure import large_program
from regulars.adapters.population.athena import athena
from regulars.adapters.population.everybody import SnapshotPopulation, evaluate_population
from regulars.adapters.population.snapshot import asked_of, read_snapshot, write_snapshot
from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.loading import load_program
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.sql import Asked, population_query, rule_query
from regulars.domain.rules.sql_columns import columns, spelt
from regulars.domain.rules.sql_text import Query, condition
from regulars.domain.rules.tree import parse_rule
from tests.rule_samples import DAY, NOON, FakeView, ordered

CONTEXT = RuleContext(segments=frozenset({"recent"}))
RECENT = {"count": "orders", "within": "30d", "at_least": 1}
SETTING = Setting(segments={"recent": parse_rule(RECENT)})
EVERY_KIND: list[Any] = [
    {"all": [RECENT, {"field": "cart.open", "equals": True}]},
    {"any": [RECENT, {"not": {"field": "traits.plan", "in": ["gold", 1, True]}}]},
    {"field": "traits.name", "like": "A*_?", "contains": "50%", "not_equals": "it's"},
    {"field": "orders.coupon_share", "between": [0.1, 0.25]},
    {"field": "traits.score", "above": 1e300},
    {"field": "orders.categories", "contains_any": ["Dresses", "Shoes"]},
    {"field": "orders.last_at", "after": {"field": "survey.nps.at"}},
    {"field": "traits.renews_on", "within_next": "7d"},
    {"since": "orders.last_at", "below": {"times": "1.234567", "of": "orders.average_gap", "min": "1d", "max": "90d"}},
    {"count": "orders", "during": "last_month", "where": {"channel": "store"}, "between": [1, 3]},
    {"count": "Product Viewed", "within": "7d", "older_than": "2d", "above": 3},
    {"sum": "orders.revenue", "within": "30d", "at_least": "10.50"},
    {"average": "orders.revenue", "older_than": "30d", "below": 20},
    {"min": "orders.revenue", "within": "30d", "at_least": 10},
    {"max": "events.Product Viewed.price", "within": "30d", "at_least": 10},
    {"first": "events.Product Viewed.category", "equals": "Dresses"},
    {"last": "orders.channel", "within": "30d", "equals": "store"},
    {"distinct": "orders.category", "within": "30d", "above": 1},
    {"sequence": [{"event": "Product Viewed"}, {"event": "Product Added"}], "same": "product_id", "span": "2d"},
    {"sequence": [{"event": "orders"}], "without": {"event": "Page Viewed", "within": "3d"}, "within": "30d"},
    {"segment": "recent"},
    {"random": "spring", "below": 25},
]
_TRINO = {"CARDINALITY", "ELEMENT_AT", "SLICE"}


def written(views: list[Any], path: Path) -> Any:
    program = large_program().compiled
    write_snapshot(path, views, program, NOON)
    return program


def test_a_rule_reads_like_its_words() -> None:
    query = Query(NOON, Setting(), spelt(["orders:at", "cart.open"]))
    rule = parse_rule(
        {"all": [{"field": "cart.open", "equals": True}, {"count": "orders", "within": "1d", "at_least": 2}]}
    )
    assert condition(rule, query) == (
        '(COALESCE("cart.open" = TRUE, FALSE) AND COALESCE(list_extract("orders:at", -2) >= 1795262400001, FALSE))'
    )


@pytest.mark.parametrize("data", EVERY_KIND, ids=str)
def test_every_kind_of_rule_is_sql_for_duckdb_and_for_athena(data: Any) -> None:
    rule = parse_rule(data, context=CONTEXT)
    sql = rule_query(rule, SETTING, NOON)
    with duckdb.connect() as connection:
        needed = Asked((), (("it", rule),), SETTING).layout().values()
        typed = ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in needed)
        connection.execute(f"CREATE TABLE snapshot AS SELECT {typed}")
        connection.execute(sql)
    translated = sqlglot.parse_one(athena(sql), read="athena")
    assert {function.name.upper() for function in translated.find_all(exp.Anonymous)} <= _TRINO


def test_an_unknown_node_is_no_sql() -> None:
    with pytest.raises(TypeError, match="cannot write object as SQL"):
        condition(object(), Query(NOON, Setting(), {}))
    with pytest.raises(TypeError, match="cannot tell the columns of object"):
        next(columns(object()))


def test_names_that_differ_by_capitals_only_are_kept_apart() -> None:
    assert spelt(["traits.plan", "traits.Plan", "Traits.plan ~2"]) == {
        "traits.Plan": "traits.Plan", "traits.plan": "traits.plan ~3", "Traits.plan ~2": "Traits.plan ~2",
    }  # fmt: skip


def test_a_snapshot_has_what_the_rules_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.parquet"
    program = written([ordered(1, 20), FakeView({"traits.email": "ann@example.com"})], path)
    snapshot = read_snapshot(path)
    assert (snapshot.rows, snapshot.now, snapshot.program_version) == (2, NOON, program.version)
    assert pq.ParquetFile(path).read().column("orders:at").to_pylist()[1] == []
    assert not [name for name in snapshot.spelling if name.startswith("traits.")]
    assert set(snapshot.spelling) == set(asked_of(program).layout())


def test_a_snapshot_is_written_in_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.adapters.population.snapshot.ROWS_IN_MEMORY", 2)
    path = tmp_path / "snapshot.parquet"
    written([ordered(1), ordered(2), ordered(3)], path)
    assert pq.read_metadata(path).num_row_groups == 2
    target = BytesIO()
    assert write_snapshot(target, iter([ordered(1)]), large_program().compiled, NOON) == 1
    assert pq.ParquetFile(BytesIO(target.getvalue())).read().num_rows == 1


def test_everybody_in_a_snapshot_is_where_the_evaluator_puts_them(tmp_path: Path) -> None:
    path = tmp_path / "it's a snapshot.parquet"
    views = [ordered(1, 20, 200), ordered(), ordered(50, 80), FakeView({"cart.open": True, "cart.last_at": NOON - DAY})]
    for number, view in enumerate(views):
        view.root = f"u_{number}"
    program = written(views, path)
    for later in (timedelta(0), 30 * DAY):
        found = evaluate_population(read_snapshot(path), program, NOON + later).to_pylist()
        for row, view in zip(found, views, strict=True):
            one = program.evaluate(view, NOON + later)
            members = {name.removeprefix("segment.") for name, value in row.items() if value is True}
            assert (row["root"], row["churn_band"], members) == (view.root, one.churn_band, one.memberships)


def test_a_segment_among_all(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.parquet"
    views = [ordered(1, 20, 200), ordered(), ordered(50, 80), ordered(2)]
    for number, view in enumerate(views):
        view.root = f"u_{number}"
    program = written(views, path).program
    found = SnapshotPopulation(read_snapshot(path)).find(program, "active", sample=1)
    assert (found.customers, found.size, found.sample) == (4, 2, ("u_0",))
    everywhere = [program.compiled.memberships(view, NOON) for view in views]
    assert found.sizes == {name: sum(name in one for one in everywhere) for name in found.sizes}
    assert found.both == {name: sum({name, "active"} <= one for one in everywhere) for name in found.sizes}
    assert len(found.sizes) == len(program.segments) - 1


def test_dates_of_a_window_are_the_programs_days_live_and_in_the_snapshot(tmp_path: Path) -> None:
    rule = {"count": "orders", "during": {"from": "2026-11-20", "to": "2026-11-21"}, "at_least": 1}
    files = {"p.yaml": {"currency": "EUR", "time_zone": "Europe/Berlin", "segments": [{"name": "x", "rule": rule}]}}
    program = load_program(files)
    ordered_at = [datetime(2026, 11, day, 23, minute, tzinfo=UTC) for day in (19, 20) for minute in (0, 59)]
    ordered_at += [datetime(2026, 11, day, 22, 59, tzinfo=UTC) for day in (19, 20)]
    views = [FakeView(orders=[(at, 100)], root=f"u_{number}") for number, at in enumerate(ordered_at)]
    write_snapshot(tmp_path / "s.parquet", views, program.compiled, NOON)
    found = SnapshotPopulation(read_snapshot(tmp_path / "s.parquet")).find(program, "x", sample=9)
    assert sorted(found.sample) == ["u_0", "u_1", "u_5"]
    assert [view.root for view in views if program.compiled.memberships(view, NOON)] == ["u_0", "u_1", "u_5"]


def test_a_snapshot_for_other_rules_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.parquet"
    written([ordered(1)], path)
    other = {"other.yaml": {"currency": "EUR", "segments": [{"name": "x", "rule": {"field": "traits.x", "equals": 1}}]}}
    with pytest.raises(BadInputError, match=r"does not have traits\.x"):
        evaluate_population(read_snapshot(path), load_program(other).compiled, NOON)


def test_what_is_no_snapshot_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(PermanentError, match="not a Parquet file"):
        read_snapshot(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(PermanentError, match="of something else"):
        read_snapshot(path)


def test_segments_come_after_those_that_they_name() -> None:
    context = RuleContext(segments=frozenset({"one", "two"}))
    rules = {
        "one": parse_rule(RECENT),
        "two": parse_rule({"segment": "one"}, context=context),
        "three": parse_rule({"all": [{"segment": "two"}, {"segment": "one"}]}, context=context),
    }
    asked = Asked((), (("three", rules["three"]),), Setting(segments={name: rules[name] for name in ("two", "one")}))
    sql = population_query(asked, NOON, source="snapshot")
    assert sql.index('AS "segment.one"') < sql.index('AS "segment.two"') < sql.index('AS "segment.three"')
    assert sql.splitlines()[-2] == 'SELECT "root", "churn_band", "segment.three"'
