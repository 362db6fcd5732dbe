"""How good the churn probability is, which model it comes from and why, and whether groups of people fare alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from regulars.application.segments.population import each
from regulars.domain.customer_scores import seen_days
from regulars.domain.errors import BadInputError
from regulars.domain.instants import from_millis, iso
from regulars.domain.rules.fields import Kind, field_kind
from regulars.domain.scores.bias import BiasReport, GroupScores, Member, report_by_group
from regulars.domain.scores.model import Kind as Source
from regulars.domain.scores.model import ScoreModel

if TYPE_CHECKING:
    from regulars.domain.people import Person
    from regulars.domain.program import Program
    from regulars.domain.scores.metrics import GroupMetrics, Metrics
    from regulars.ports import Clock, CustomerStore, ProgramStore

MOST_GROUPS = 100
"""A field of more values is an identifier, or a number: its report would list people, and say nothing of groups."""
_GROUPING = (Kind.TRAIT, Kind.TEXT, Kind.CHOICE, Kind.FLAG, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class ScoresReport:
    """The `model` in force (None: no refresh has fitted one), and what groups by the field `by` make of it.
    `not_computed`: so many customers of whom nothing can be computed are left out."""

    at: datetime
    program_version: str
    model: ScoreModel | None
    by: str | None
    bias: BiasReport | None
    not_computed: int = 0


class ReportScores:
    """Call it with a field to group by, such as `traits.age` or `geo.country`, or none. With one, every customer is
    read once."""

    def __init__(self, *, store: CustomerStore, programs: ProgramStore, clock: Clock) -> None:
        self._store = store
        self._programs = programs
        self._clock = clock

    def __call__(self, by: str | None = None) -> ScoresReport:
        """Raises BadInputError: `bad_field` (no such field, or none that makes groups), `too_many_groups`."""
        if by is not None:
            _checked(by)
        program, now = self._programs.current(), self._clock.now()
        model = program.parameters.scores
        left_out: list[str] = []
        bias = None
        if by and model:
            bias = report_by_group(self._members(program, by, now, left_out), model, now)
        return ScoresReport(now, program.version, model, by, bias, len(left_out))

    def _members(self, program: Program, by: str, now: datetime, left_out: list[str]) -> Iterator[Member]:
        def asked(person: Person) -> Member | None:
            orders = person.customer.orders()
            if not orders:
                return None
            return Member(_group_of(person, by), orders, seen_days(person.customer, program.seen_by))

        groups: set[str | None] = set()
        for member in each(asked, self._store, program.compiled, now, left_out=left_out):
            if member is None:
                continue
            groups.add(member.group)
            if len(groups) > MOST_GROUPS:
                raise BadInputError("too_many_groups", f"{by} has more than {MOST_GROUPS} values; choose another field")
            yield member


def _checked(by: str) -> None:
    try:
        kind = field_kind(by)
    except ValueError as error:
        raise BadInputError("bad_field", f"{by}: {error}") from error
    if kind not in _GROUPING:
        raise BadInputError("bad_field", f"{by}: of kind {kind.value}, which makes no groups; name a trait or a choice")


def _group_of(person: Person, by: str) -> str | None:
    if by == "churn_band":
        return person.state.churn_band if person.state else None
    found = person.customer.value(by)
    if found is None:
        return None
    return str(found).lower() if isinstance(found, bool) else str(found)


def scores_doc(report: ScoresReport) -> dict[str, Any]:
    """The JSON document of a report. Of a group that is too small only its size is told."""
    bias = report.bias
    return {
        "at": iso(report.at),
        "program_version": report.program_version,
        "model": None if report.model is None else model_doc(report.model),
        "by": report.by,
        "not_computed": report.not_computed,
        "everybody": None if bias is None else _group_doc(bias.everybody),
        "groups": [] if bias is None else [_group_doc(group) for group in bias.groups],
    }


def model_doc(model: ScoreModel) -> dict[str, Any]:
    """The JSON document of a model: which was published and why, when it was fitted, and how good it was."""
    source = model.churn or (Source.COHORT if model.cohorts else None)
    return {
        "fitted_at": iso(from_millis(model.fitted_at)),
        "buyers": model.population.buyers,
        "published": source and source.value,
        "why": _why(model),
        "gate": model.gate and model.gate.value,
        "absent": {name: reason.value for name, reason in sorted(model.reasons.items())},
        "compared": {name: _metrics_doc(metrics) for name, metrics in sorted(model.metrics.items())},
    }


def _why(model: ScoreModel) -> str:
    """Which model won, in a stable word: `gate`, `no_model`, `only_one` or `lowest_brier`."""
    if model.gate is not None:
        return "gate"
    if model.churn is None:
        return "no_model"
    # Of two that were compared, one may not have been fitted to everything.
    rivals = [name for name in model.metrics if name not in model.reasons]
    return "lowest_brier" if len(rivals) > 1 else "only_one"


def _metrics_doc(metrics: Metrics) -> dict[str, Any]:
    return {
        "people": metrics.n,
        "rate": round(metrics.base_rate, 4),
        "auc": None if metrics.auc is None else round(metrics.auc, 4),
        "brier": round(metrics.brier, 5),
        "brier_of_rate": round(metrics.base_rate * (1 - metrics.base_rate), 5),
        "calibration_error": round(metrics.calibration_error, 4),
        "calibration": [
            {"people": each.n, "mean_score": round(each.mean_score, 4), "rate": round(each.rate, 4)}
            for each in metrics.calibration
        ],
    }


def _group_doc(group: GroupScores) -> dict[str, Any]:
    told = {
        name: None if group.small else round(getattr(group, name), 4)
        for name in ("mean_score", "difference", "above_half")
    }
    held_out = group.held_out and _held_out_doc(group.held_out)
    return {"group": group.group, "people": group.people, "too_small": group.small, **told, "held_out": held_out}


def _held_out_doc(metrics: GroupMetrics) -> dict[str, Any]:
    """How right the models were of a group; `gap` above 0: its people were thought likelier to leave than they are."""
    figures = asdict(metrics)
    return {
        "people": metrics.n,
        "too_small": metrics.small,
        "mean_score": None if metrics.small else round(metrics.mean_score, 4),
        "rate": None if metrics.small else round(metrics.base_rate, 4),
        **{
            name: None if metrics.small or figures[name] is None else round(figures[name], 4)
            for name in ("gap", "auc", "brier")
        },
    }
