"""By which events the scores know on which days a customer was seen: those that their model was fitted on.

Which other rules there are must not matter: a rule that keeps one more event for long would else make everybody seen
lately, and move all scores between two fits. So the model names its events, profiles keep those for as long as a rule
reads scores, and the next fit may choose others, of those that are kept whole by then.
"""

from __future__ import annotations

from collections.abc import Mapping

from regulars.domain.scores.model import ScoreModel

LONG_KEPT = 270
"""Days. The model that is compared learns from customers as they were 180 days ago, with what was seen of them in the
90 days before; what is kept for less was another when it looks back."""
STANDARD = ("Page Viewed", "Screen Viewed")
"""Kept for the scores whatever the rules count: of who comes at all, one of these is told."""
MOST = 5
"""Events at most: profiles keep each for LONG_KEPT days."""
_LONG_ONCE = 180
"""Models that do not name their events were fitted on all that was kept for so long."""


def kept_for(model: ScoreModel | None) -> dict[str, int]:
    """The events that profiles keep while a rule reads scores, each with for how many days."""
    return dict.fromkeys((*STANDARD, *((model and model.seen_by) or ())), LONG_KEPT)


def seen_by(model: ScoreModel | None, planned: Mapping[str, int], whole: Mapping[str, int] | None) -> tuple[str, ...]:
    """The events by which a model's scores know when a customer was seen. `planned`: event to days, of the feature
    plan; `whole`: those that are kept of the whole log (None: nobody has said, so all)."""
    if model is not None and model.seen_by is not None:
        return model.seen_by
    return tuple(sorted(_kept(_LONG_ONCE, planned, whole)))


def chosen(model: ScoreModel | None, planned: Mapping[str, int], whole: Mapping[str, int] | None) -> tuple[str, ...]:
    """The events for the next fit, at most MOST of those that are kept long and whole: the model's in force first, then
    the standard ones. (A model that was fitted on an event keeps it, so nothing changes while nothing is put.)"""
    before = (model and model.seen_by) or ()
    kept = _kept(LONG_KEPT, planned, whole)
    ranked = sorted(kept, key=lambda name: (name not in before, name not in STANDARD, name))
    return tuple(sorted(ranked[:MOST]))


def _kept(days: int, planned: Mapping[str, int], whole: Mapping[str, int] | None) -> list[str]:
    known = planned if whole is None else whole
    return [name for name, kept in planned.items() if min(kept, known.get(name, 0)) >= days]
