"""`regulars scores`: how good the scores are, and of whom; and one customer's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from regulars.cli_options import BUCKET, TABLE, node_argument, trouble
from regulars.cli_segments import AS_JSON, table_of, trace_lines
from regulars.domain.money import currency_exponent, decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHY = {
    "gate": "no model may be fitted yet",
    "no_model": "no model could be fitted",
    "only_one": "the only one that could be fitted and compared",
    "lowest_brier": "the lowest Brier score",
}
_MONEY = ("historic_clv", "predicted_clv", "total_clv", "average_order_value")
_SCALES = {"log_odds": "log-odds by factor", "score": "by factor, one at a time"}


@click.group()
def scores() -> None:
    """Churn and value: which model, and how good it is (docs/scores.md)."""


@scores.command()
@BUCKET
@TABLE
@click.option("--by", metavar="FIELD", help="Group people by a field, such as traits.age or geo.country.")
@AS_JSON
def report(bucket: str, table: str, by: str | None, *, as_json: bool) -> None:
    """The churn probability on the 90 days that it was tried on, the model that it comes from and why; with --by,
    whether groups of people fare alike by it. Reads every customer once then; changes nothing."""
    from regulars.application.scores_report import scores_doc  # noqa: PLC0415 - a command loads what it needs
    from regulars.runtime.segments import scores_report as compose  # noqa: PLC0415

    with trouble():
        doc = scores_doc(compose(bucket, table)(by))
    if as_json:
        click.echo(json.dumps(doc, indent=2, ensure_ascii=False))
        return
    if doc["model"] is None:
        click.echo("no model yet: the first nightly refresh fits one")
        return
    _model(doc["model"])
    if doc["everybody"] is not None:
        _groups(doc)
    elif by:
        click.echo(f"by {by}: nobody has a score")


@scores.command()
@BUCKET
@TABLE
@click.argument("customer")
@AS_JSON
def explain(bucket: str, table: str, customer: str, *, as_json: bool) -> None:
    """The scores of CUSTOMER (email:ADDRESS, user:ID, a node id, ...): the nine fields, why one is absent, what moved
    each, and the churn band with its rules."""
    from regulars.application.scores_explain import explained_scores_doc  # noqa: PLC0415
    from regulars.runtime.segments import scores_explain as compose  # noqa: PLC0415

    node = node_argument(customer)
    with trouble():
        doc = explained_scores_doc(compose(bucket, table)(node))
    if as_json:
        click.echo(json.dumps(doc, indent=2, ensure_ascii=False))
        return
    for line in score_lines(doc):
        click.echo(line)


def score_lines(doc: Mapping[str, Any]) -> Iterator[str]:
    """A customer's scores (`explained_scores_doc`) as lines to read."""
    model = doc["model"]
    source = "no model is fitted yet" if model is None else f"models fitted {model['fitted_at']}"
    yield f"{doc['customer']} as of {doc['at']}, by program {doc['program_version']}; {source}"
    unit = 10 ** currency_exponent(doc["currency"])
    for name, value in doc["scores"].items():
        reason, explanation = doc["reasons"].get(name), doc["explanations"].get(name)
        origin = f" (from {doc['churn_from']})" if name == "churn_probability" and doc["churn_from"] else ""
        yield f"  {name}: {_score(name, value, doc['currency'])}{origin}{f' ({reason})' if reason else ''}"
        if explanation is not None and explanation["contributions"]:
            scale = unit if name in _MONEY else 1
            parts = ", ".join(
                f"{each['factor']} {each['effect'] / scale:+.3f}" for each in explanation["contributions"]
            )
            yield f"    average buyer {explanation['average'] / scale:.3f}; {_SCALES[explanation['scale']]}: {parts}"
    yield f"churn band: {doc['churn_band'] or 'none'} (decided: {doc['decided_churn_band'] or 'none'})"
    for band in doc["bands"]:
        yield f"  {band['band']}"
        yield from trace_lines(band["why"], 2)


def _score(name: str, value: int | float | str | None, currency: str) -> str:
    if name in _MONEY and isinstance(value, int):
        return f"{decimal_text(value, currency)} {currency}"
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _model(model: Mapping[str, Any]) -> None:
    source = model["published"] or "none"
    why = f"{_WHY[model['why']]}{': ' + model['gate'] if model['gate'] else ''}"
    click.echo(f"churn probability from {source} ({why}), fitted {model['fitted_at']} to {model['buyers']} buyers")
    for name, reason in model["absent"].items():
        click.echo(f"  no {name}: {reason}")
    table_of(
        ("tried on 90 days", "people", "stayed away", "AUC", "Brier", "of the rate", "calibration error"),
        (
            (name, each["people"], *map(_shown, (each["rate"], each["auc"])), f"{each['brier']:.4f}",
             f"{each['brier_of_rate']:.4f}", _shown(each["calibration_error"]))
            for name, each in model["compared"].items()
        ),
    )  # fmt: skip
    if source in model["compared"]:
        tenths = model["compared"][source]["calibration"]
        table_of(
            ("tenth by score", "people", "mean score", "stayed away"),
            (
                (number, each["people"], _shown(each["mean_score"]), _shown(each["rate"]))
                for number, each in enumerate(tenths, start=1)
            ),
        )


def _groups(doc: Mapping[str, Any]) -> None:
    table_of(
        (doc["by"], "people", "mean score", "from all", "above half", "tried on", "said", "stayed away", "gap", ""),
        (_group_row(each) for each in (doc["everybody"], *doc["groups"])),
    )


def _group_row(group: Mapping[str, Any]) -> tuple[object, ...]:
    held_out = group["held_out"] or {"people": 0, "mean_score": None, "rate": None, "gap": None, "too_small": True}
    small = "too small" if group["too_small"] else "tried on too few" if held_out["too_small"] else ""
    return (
        group["group"],
        group["people"],
        _shown(group["mean_score"]),
        _shown(group["difference"], "+.3f"),
        _shown(group["above_half"], ".1%"),
        held_out["people"],
        _shown(held_out["mean_score"]),
        _shown(held_out["rate"]),
        _shown(held_out["gap"], "+.3f"),
        small,
    )


def _shown(value: float | None, how: str = ".3f") -> str:
    return "-" if value is None else format(value, how)
