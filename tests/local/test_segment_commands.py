"""`regulars segments` over a deployment: what each command prints, as text and as JSON, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.local import LocalCloud
from regulars.cli import main
from regulars.cli_segments import sparkline
from regulars.domain.parameters import ProgramParameters, parameters_to_doc
from regulars.domain.scores.metrics import metrics_of
from tests.traffic import place_order, post_batch
from tests.unit.scores.samples import model_of

PROGRAM = Path(__file__).parents[2] / "program"
DEFINITION = "name: big\nrule: {sum: orders.revenue, at_least: 99.90}\n"


@pytest.fixture(scope="module")
def shop() -> Iterator[LocalCloud]:
    """A cloud with two customers, of whom one bought something an hour ago."""
    with LocalCloud() as cloud:
        post_batch(cloud, [{"type": "track", "event": "Page Viewed", "userId": "bob"}])
        order = {
            "order_id": "o1", "version": 1, "placed_at": cloud.now.isoformat(), "status": "paid", "currency": "USD",
            "total": "120.00", "customer": {"user_id": "ann", "email": "ann@example.com"},
        }  # fmt: skip
        place_order(cloud, order)
        cloud.advance(by=timedelta(hours=1))
        yield cloud


@pytest.fixture
def definition(tmp_path: Path) -> str:
    path = tmp_path / "big.yaml"
    path.write_text(DEFINITION, encoding="utf-8")
    return str(path)


def run(cloud: LocalCloud, *arguments: str, stdin: str | None = None, group: str = "segments") -> Result:
    deployment = {
        "BUCKET_NAME": cloud.bucket_name,
        "TABLE_NAME": cloud.table_name,
        "PROGRAM_PATH": str(PROGRAM),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return CliRunner().invoke(main, [group, *arguments], env=deployment, input=stdin)


def told(cloud: LocalCloud, *arguments: str) -> Any:
    result = run(cloud, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestValidate:
    def test_a_folder_that_is_well(self, shop: LocalCloud) -> None:
        result = run(shop, "validate", str(PROGRAM))
        assert result.exit_code == 0
        assert result.output.startswith("all is well; program version ")

    def test_all_mistakes_with_path_and_fix_and_a_nonzero_exit(self, shop: LocalCloud, tmp_path: Path) -> None:
        rules = "  - {name: a, rule: {count: orders}}\n  - {name: b, rule: {field: x, equals: 1}}\n"
        text = f"currency: EUR\nsegments:\n{rules}"
        (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
        result = run(shop, "validate", str(tmp_path))
        assert result.exit_code == 1
        first, second, last = result.output.splitlines()
        assert first.startswith("p.yaml: segments.0.rule: needs an operator")
        assert second.startswith("p.yaml: segments.1.rule.field: there is no field of that name")
        assert last == "2 to mend"

    @pytest.mark.parametrize("text", [DEFINITION, '{"name": "big", "rule": {"count": "orders", "at_least": 1}}'])
    def test_a_definition_from_standard_input_joins_the_program(self, shop: LocalCloud, text: str) -> None:
        assert run(shop, "validate", "-", stdin=text).exit_code == 0

    def test_a_file_without_a_name_goes_by_its_own(self, shop: LocalCloud, tmp_path: Path) -> None:
        (tmp_path / "near_big.yaml").write_text("rule: {segment: bigg}\n", encoding="utf-8")
        result = run(shop, "validate", str(tmp_path / "near_big.yaml"), "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["problems"][0]["path"] == "definition near_big: rule.segment"

    @pytest.mark.parametrize(("text", "words"), [("rule: [", "standard input line 2"), ("[]", "name: missing; add it")])
    def test_what_cannot_be_read(self, shop: LocalCloud, text: str, words: str) -> None:
        result = run(shop, "validate", "-", stdin=text)
        assert result.exit_code == 1
        assert words in result.output


def test_explain_says_leaf_by_leaf_why_since_when_and_until_when(shop: LocalCloud) -> None:
    result = run(shop, "explain", "email:ann@example.com", "active")
    assert result.exit_code == 0, result.output
    head, since, as_of, leaf = result.output.splitlines()
    assert head.endswith("is in active (at least 1 order in the last 30 days)")
    assert since.startswith("  since 2026-11-22T09:00:00.000Z, because of ")
    assert as_of.startswith("as of 2026-11-22T10:00:00.000Z, by program ")
    assert leaf == "  yes count orders within 30d [1] at_least 1 until 2026-12-22T09:00:00.000Z"
    loyal = run(shop, "explain", "user:ann", "loyal").output.splitlines()
    first = next(number for number, line in enumerate(loyal) if line.startswith("  no  all of"))
    assert loyal[first + 1].startswith("    no  count orders within 365d [1] at_least 5")
    assert loyal[first + 2].startswith("    yes field churn_band [low]")
    assert loyal[first + 3].startswith("      yes band low")
    assert " until " in loyal[first + 2]


@pytest.mark.parametrize(
    ("who", "segment", "words"), [("user:ann", "x", "no such segment"), ("user:zoe", "active", "nothing is known")]
)
def test_explain_tells_what_it_does_not_know(shop: LocalCloud, who: str, segment: str, words: str) -> None:
    result = run(shop, "explain", who, segment)
    assert result.exit_code == 1
    assert words in result.output


def test_preview_counts_and_changes_nothing(shop: LocalCloud, definition: str) -> None:
    doc = told(shop, "preview", definition)
    assert (doc["segment"], doc["size"], doc["customers"]) == ("big", 1, 2)
    result = run(shop, "preview", definition)
    assert "1 of 2 customers (50.0%)" in result.output
    assert "active" in result.output
    assert not shop.client("s3").list_objects_v2(Bucket=shop.bucket_name, Prefix="program/definitions").get("Contents")


def test_preview_from_the_snapshot_of_the_night(shop: LocalCloud, definition: str) -> None:
    """The same figures, and of when they are; before the first night, or for what it does not hold, a clear word."""
    refused = run(shop, "preview", definition, "--snapshot")
    assert (refused.exit_code, "there is no snapshot" in refused.output) == (1, True)
    event = json.loads((PROGRAM.parent / "events" / "snapshot" / "nightly.json").read_text())
    assert shop.invoke("snapshot", event)["customers"] == 2
    doc = told(shop, "preview", definition, "--snapshot")
    assert (doc["source"], doc["as_of"]) == ("snapshot", "2026-11-22T10:00:00.000Z")
    scanned = told(shop, "preview", definition)
    assert {**doc, "source": "table", "seconds": 0} == {**scanned, "seconds": 0}
    assert "as of 2026-11-22T10:00:00.000Z, by the snapshot" in run(shop, "preview", definition, "--snapshot").output
    unheld = "name: roman\nrule: {field: traits.city, equals: Rome}\n"
    refused = run(shop, "preview", "-", "--snapshot", stdin=unheld)
    assert (refused.exit_code, "does not have traits.city" in refused.output) == (1, True)


def test_a_snapshot_taken_by_hand(shop: LocalCloud) -> None:
    assert told(shop, "snapshot")["customers"] == 2
    assert "2 customers in 1 parts, as of " in run(shop, "snapshot").output


@pytest.mark.parametrize("what", ["definition", "name"])
def test_backtest_of_a_definition_or_a_segment(shop: LocalCloud, definition: str, what: str) -> None:
    over = ("--from", "2026-11-22", "--to", "2026-11-23", "--step", "6h")
    doc = told(shop, "backtest", definition if what == "definition" else "active", *over)
    assert [step["size"] for step in doc["steps"]] == [0, 1, 1, 1]
    table = run(shop, "backtest", "active", *over).output.splitlines()
    assert table[2].split() == ["until", "in", "out", "merged", "size"]
    assert table[4].split() == ["2026-11-22T12:00", "1", "0", "0", "1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope", "--from", "2026-11-22", "--to", "2026-11-23"), "no file and no segment nope"),
        (("active", "--from", "2026-11-22", "--to", "2026-11-22"), "must end later"),
        (("active", "--from", "2026-11-22", "--to", "2026-11-23", "--step", "1m"), "with h, d or w"),
        (("active", "--from", "2001-11-22", "--to", "2026-11-23", "--step", "1h"), "choose a longer one"),
    ],
)
def test_backtest_refuses_what_makes_no_sense(shop: LocalCloud, arguments: tuple[str, ...], words: str) -> None:
    result = run(shop, "backtest", *arguments)
    assert result.exit_code == 1
    assert words in result.output


def test_report_shows_sizes_moves_and_flags(shop: LocalCloud) -> None:
    doc = told(shop, "report", "--days", "2", "--smallest", "1")
    found = {row["segment"]: row for row in doc["segments"]}
    assert [day["size"] for day in found["active"]["days"]] == [0, 1]
    assert found["active"]["flags"] == []
    result = run(shop, "report", "--days", "2")
    (line,) = [line for line in result.output.splitlines() if line.strip().startswith("active")]
    assert line.split()[:5] == ["active", "1", "50.0%", "1", "0"]
    assert line.endswith("too small")


def test_scores_are_reported_with_the_model_that_they_come_from(shop: LocalCloud) -> None:
    first = run(shop, "report", "--by", "traits.age", group="scores")
    assert (first.exit_code, first.output) == (0, "no model yet: the first nightly refresh fits one\n")
    s3, key = shop.client("s3"), "program/parameters.json"
    model = replace(model_of(), metrics={"bg_nbd": metrics_of([0.8, 0.4], [True, False])})
    parameters = ProgramParameters(version=1, computed_at=shop.now, scores=model)
    s3.put_object(Bucket=shop.bucket_name, Key=key, Body=json.dumps(parameters_to_doc(parameters)))
    text = run(shop, "report", "--by", "traits.age", group="scores")
    doc = json.loads(run(shop, "report", "--by", "traits.age", "--json", group="scores").stdout)
    refused = run(shop, "report", "--by", "orders.revenue", group="scores")
    s3.delete_object(Bucket=shop.bucket_name, Key=key)
    lines = text.output.splitlines()
    assert lines[0].startswith(
        "churn probability from bg_nbd (the only one that could be fitted and compared), fitted "
    )
    assert lines[2].split() == ["bg_nbd", "2", "0.500", "1.000", "0.1000", "0.2500", "0.300"]
    assert lines[-2].split()[:3] == ["everybody", "1", "-"]
    assert lines[-1].split()[:2] == ["unknown", "1"]
    assert lines[-1].endswith("too small")
    assert doc["model"]["published"] == "bg_nbd"
    assert (refused.exit_code, "makes no groups" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("sizes", "blocks"), [([], ""), ([0, 0], "▁▁"), ([0, 7], "▁█"), (list(range(60)), 30), ([1] * 366, 29)]
)
def test_sizes_over_time_fit_on_a_line_and_end_with_today(sizes: list[int], blocks: str | int) -> None:
    drawn = sparkline(sizes)
    assert (len(drawn) if isinstance(blocks, int) else drawn) == blocks
    assert not sizes or drawn[-1] == ("█" if sizes[-1] else "▁")


def test_one_customers_scores_with_the_reasons_for_those_that_are_absent(shop: LocalCloud) -> None:
    text = run(shop, "explain", "user:ann", group="scores")
    assert text.exit_code == 0, text.output
    assert "  historic_clv: 120.00 USD" in text.output
    assert "  average_days_between_orders: - (one_order)" in text.output
    assert "churn band: low (decided: low)" in text.output
    doc = json.loads(run(shop, "explain", "user:ann", "--json", group="scores").stdout)
    assert len(doc["scores"]) == 9
    nobody = run(shop, "explain", "user:zoe", group="scores")
    assert (nobody.exit_code, nobody.output) == (1, "Error: nothing is known of this customer\n")
    assert run(shop, "explain", "somebody", group="scores").exit_code == 2
