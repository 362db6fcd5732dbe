"""Population parameters: thresholds that all customers together decide, such as what a big spender spends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from regulars.domain.instants import from_millis, to_millis
from regulars.domain.marks import joined, parted
from regulars.domain.percentile import nearest_rank
from regulars.domain.rules.aggregates import Measure
from regulars.domain.rules.nodes import Node
from regulars.domain.rules.operands import ParameterRef, amount_of, context_of
from regulars.domain.scores.model import ScoreModel


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
    force, as far as somebody noted it. `deployed`: the hash of the files that a deployment last brought.
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

    @property
    def known_rules(self) -> str | None:
        """The marks of the segments by which a customer of whom nothing is kept was decided; None: nobody knows.

        What the last look found may still be on its way, so its rules count only as far as those from before it do;
        and those from before it only as far as they were not taken out since, for then nobody was decided by them.
        """
        if self.rules is None or self.rules_before is None:
            return self.rules
        return joined(parted(self.rules) & parted(self.rules_before))


def parameters_to_doc(parameters: ProgramParameters) -> dict[str, Any]:
    """The JSON document of parameters; `computed_at` as epoch milliseconds."""
    computed = None if parameters.computed_at is None else to_millis(parameters.computed_at)
    values = dict(sorted(parameters.values.items()))
    doc: dict[str, Any] = {"version": parameters.version, "computed_at": computed, "values": values}
    for name in ("program", "announced", "files", "rules", "rules_before", "deployed"):
        if (version := getattr(parameters, name)) is not None:
            doc[name] = version
    if parameters.filled_at is not None:
        doc["filled_at"] = to_millis(parameters.filled_at)
    if parameters.parts is not None:
        doc["parts"] = dict(sorted(parameters.parts.items()))
    if parameters.computed_by:
        doc["computed_by"] = dict(sorted(parameters.computed_by.items()))
    if parameters.since:
        doc["since"] = {mark: to_millis(at) for mark, at in sorted(parameters.since.items())}
    if parameters.scores is not None:
        doc["scores"] = parameters.scores.to_doc()
    return doc


def parameters_from_doc(doc: Mapping[str, Any]) -> ProgramParameters:
    """The inverse of `parameters_to_doc`."""
    computed = doc["computed_at"]
    return ProgramParameters(
        doc["version"],
        None if computed is None else from_millis(computed),
        dict(doc["values"]),
        doc.get("program"),
        doc.get("announced"),
        doc.get("parts"),
        ScoreModel.from_doc(doc["scores"]) if "scores" in doc else None,
        doc.get("files"),
        from_millis(doc["filled_at"]) if "filled_at" in doc else None,
        doc.get("rules"),
        doc.get("rules_before"),
        dict(doc.get("computed_by", {})),
        {mark: from_millis(at) for mark, at in doc.get("since", {}).items()},
        doc.get("deployed"),
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
