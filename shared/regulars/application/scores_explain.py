"""One customer's scores: the nine fields, why some are absent, what moved those that are there, the churn band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from regulars.application.scores_report import model_doc
from regulars.application.segments.explain import known_customer
from regulars.domain.instants import from_millis, iso
from regulars.domain.scores.model import ScoreModel
from regulars.domain.scores.scoring import Explanation, Scores

if TYPE_CHECKING:
    from regulars.ports import Clock, CustomerStore, ProgramStore

_BESIDES = ("churn_from", "reasons")


@dataclass(frozen=True, slots=True)
class ExplainedScores:
    """A customer's scores as of `at` under the `model` in force (None: no refresh has fitted one).

    `explanations`, by score, of those that a model made. `bands`: the churn band that the rules say now, with the trace
    of each band's rule; `decided_band` the one that was decided last. Money is in minor units of `currency`.
    """

    customer: str
    at: datetime
    program_version: str
    currency: str
    model: ScoreModel | None
    scores: Scores
    explanations: Mapping[str, Explanation]
    bands: Mapping[str, Any]
    decided_band: str | None


class ExplainScores:
    """Call it with a node of the customer."""

    def __init__(self, *, store: CustomerStore, programs: ProgramStore, clock: Clock) -> None:
        self._store = store
        self._programs = programs
        self._clock = clock

    def __call__(self, node: str) -> ExplainedScores:
        """Raises BadInputError `unknown_customer`."""
        program, now = self._programs.current(), self._clock.now()
        compiled = program.compiled
        customer, state = known_customer(self._store, compiled, node, now)
        scored = customer.scored()
        return ExplainedScores(
            customer=customer.root,
            at=now,
            program_version=compiled.version,
            currency=program.currency,
            model=program.parameters.scores,
            scores=scored.scores(now),
            explanations=scored.explained(now),
            bands=compiled.explain_churn(customer, now),
            decided_band=state.churn_band,
        )


def explained_scores_doc(found: ExplainedScores) -> dict[str, Any]:
    """The JSON document of a customer's scores: the nine by name, in minor units, days and ISO 8601."""
    doc = found.scores.to_doc()
    expected = doc["expected_date_of_next_order"]
    doc["expected_date_of_next_order"] = None if expected is None else iso(from_millis(expected))
    model = None if found.model is None else model_doc(found.model)
    told = ("fitted_at", "buyers", "published", "why", "gate", "absent")
    return {
        "customer": found.customer,
        "at": iso(found.at),
        "program_version": found.program_version,
        "currency": found.currency,
        "model": model and {name: model[name] for name in told},
        "scores": {name: value for name, value in doc.items() if name not in _BESIDES},
        **{name: doc[name] for name in _BESIDES},
        "explanations": {score: found.explanations[score].to_doc() for score in found.explanations},
        "churn_band": found.bands["churn_band"],
        "decided_churn_band": found.decided_band,
        "bands": found.bands["bands"],
    }
