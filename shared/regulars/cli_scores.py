"""`regulars scores`: how good the scores are, and of whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from regulars.cli_options import BUCKET, TABLE, trouble
from regulars.cli_segments import AS_JSON, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHY = {
    "gate": "no model may be fitted yet",
    "no_model": "no model could be fitted",
    "only_one": "the only one that could be fitted and compared",
    "lowest_brier": "the lowest Brier score",
}


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
