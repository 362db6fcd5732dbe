"""Population parameters: thresholds that all customers together decide, such as what a big spender spends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from regulars.domain.instants import from_millis, to_millis
from regulars.domain.marks import joined, parted
from regulars.domain.percentile import nearest_rank
from regulars.domain.rules.aggregates import Measure
from regulars.domain.rules.nodes import Node
from regulars.domain.rules.operands import ParameterRef, amount_of, context_of
from regulars.domain.scores.model import ScoreModel

ON_ITS_WAY = timedelta(hours=1)
"""After this long whom a look at everybody found is taken to have been evaluated."""


class Look(NamedTuple):
    """The rules that everybody was looked through by, as marks; and when, None until all of them were evaluated whom it
    moved."""

    rules: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ProgramParameters:
    """Parameter values as one refresh computed them. `version` grows with each that is published; 0: there was none.

    `values` are minor units of the program's currency, or numbers, by parameter name. `program` is the version of the
    program that they make; `announced` the one for which everybody was last looked through. `parts` (FeaturePlan.parts)
    is what profiles are known to keep of the whole log; None while nobody has said. `scores`: the models as last
    fitted. `files`: the hash of the program's files that they were computed under. `filled_at`: when segments that had
    waited for `parts` last began to decide. `rules`: the marks of the segments (CompiledProgram.known_rules) by which
    everybody was last looked through, `rules_before` the time before that. `computed_by`: the marks of the definitions
    (Program.own_marks) that values were computed by, by parameter name. `since`: when the rules of a mark came into
    force, as far as somebody noted it. `deployed`: the hash of the files that a deployment last brought. `units`
    (Program.units): those of the values. `looked_before`: when everybody was looked through by `rules_before`, and
    `looked_at` by `rules`. `in_doubt`: files that nobody knows were in force for a while, so profiles may lack some of
    the past.
    """

    version: int = 0
    computed_at: datetime | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    program: str | None = None
    announced: str | None = None
    parts: Mapping[str, int] | None = None
    scores: ScoreModel | None = None
    files: str | None = None
    filled_at: datetime | None = None
    rules: str | None = None
    rules_before: str | None = None
    computed_by: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)
    deployed: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    looked_at: datetime | None = None
    looked_before: datetime | None = None
    in_doubt: bool = False

    def told(self, now: datetime) -> Look | None:
        """The look that customers whom it did not move were decided by, as of `now`; None: nobody knows of any.

        What the last one found may still be on its way, so for a while its rules count only as far as those of the look
        before do; and those only as far as they were not taken out since, for then nobody was decided by them.
        """
        if self.rules is None:
            return None
        over = [at for at in (self.looked_at, self.looked_before) if at is not None and at <= now - ON_ITS_WAY]
        if self.rules_before is None or self.looked_at in over:
            return Look(self.rules, max(over, default=None))
        return Look(joined(parted(self.rules) & parted(self.rules_before)), max(over, default=None))


_TEXTS = ("program", "announced", "files", "rules", "rules_before", "deployed")
_INSTANTS = ("computed_at", "filled_at", "looked_at", "looked_before")
_BY_NAME = ("values", "parts", "computed_by", "units")


def parameters_to_doc(parameters: ProgramParameters) -> dict[str, Any]:
    """The JSON document of parameters, without what is None; instants as epoch milliseconds."""
    doc: dict[str, Any] = {"version": parameters.version}
    for name in _TEXTS:
        if (text := getattr(parameters, name)) is not None:
            doc[name] = text
    for name in _INSTANTS:
        if (at := getattr(parameters, name)) is not None:
            doc[name] = to_millis(at)
    for name in _BY_NAME:
        if (known := getattr(parameters, name)) is not None:
            doc[name] = dict(sorted(known.items()))
    doc["since"] = {mark: to_millis(at) for mark, at in sorted(parameters.since.items())}
    if parameters.scores is not None:
        doc["scores"] = parameters.scores.to_doc()
    return {**doc, "in_doubt": parameters.in_doubt}


def parameters_from_doc(doc: Mapping[str, Any]) -> ProgramParameters:
    """The inverse of `parameters_to_doc`. Raises KeyError, TypeError or ValueError on anything else."""
    said: dict[str, Any] = {
        "version": doc["version"],
        "values": doc["values"],
        **{name: doc[name] for name in _TEXTS if name in doc},
    }
    said |= {name: from_millis(doc[name]) for name in _INSTANTS if doc.get(name) is not None}
    said |= {name: dict(doc[name]) for name in _BY_NAME if name in doc}
    return ProgramParameters(
        since={mark: from_millis(at) for mark, at in doc.get("since", {}).items()},
        scores=ScoreModel.from_doc(doc["scores"]) if "scores" in doc else None,
        in_doubt=doc.get("in_doubt", False),
        **said,
    )


def _whole(raw: Any) -> Any:
    if isinstance(raw, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return raw


class ParameterDefinition(Node):
    """How a parameter comes about: a percentile of a measure over the customers who have any of it.

    `default` (minor units, or a number) stands before the first refresh and while fewer than `minimum_customers` have
    any.
    """

    percentile: Annotated[Decimal, BeforeValidator(_whole)] = Field(gt=0, le=100)
    of: Measure
    minimum_customers: Annotated[int, BeforeValidator(_whole)] = Field(default=20, ge=1, le=1_000_000)
    default: Any

    @field_validator("default")
    @classmethod
    def _fits(cls, raw: Any, info: ValidationInfo) -> int:
        if "of" not in info.data:
            return 0  # the measure itself was refused: say only that
        amount = amount_of(raw, kind=info.data["of"].kind, context=context_of(info))
        if isinstance(amount, ParameterRef):
            raise ValueError("must be a value, not another parameter")  # noqa: TRY004 - as above
        return amount


def parameter_value(definition: ParameterDefinition, measures: Iterable[int]) -> int:
    """The parameter's value given every customer's measure; customers with none of it (0 or less) are left out."""
    some = [measure for measure in measures if measure > 0]
    if len(some) < definition.minimum_customers:
        default: int = definition.default
        return default
    return nearest_rank(some, definition.percentile)
