"""Publishing parameters: changes that several make at once, each with no thought of the others; and since when they
are in force everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from regulars.domain.errors import TransientError
from regulars.domain.marks import marks_of
from regulars.domain.plan import still_kept

if TYPE_CHECKING:
    from regulars.domain.parameters import ProgramParameters
    from regulars.domain.plan import FeaturePlan
    from regulars.domain.program import Program
    from regulars.ports import ProgramStore

SETTLED = timedelta(minutes=5)
"""After this long every evaluation is under new parameters and definitions: each is shorter, and keeps them for a
minute."""
_TRIES = 5


def forget_beyond(plan: FeaturePlan, programs: ProgramStore, *, anew: bool = False) -> None:
    """Publish that profiles no longer keep what is not in a plan; `anew`: and that everybody is to be looked through,
    even by rules that they were looked through by before. Raises TransientError as `amended`."""

    def told(known: ProgramParameters) -> ProgramParameters | None:
        wanted = forgotten(known, plan)
        wanted = replace(wanted, announced=None) if anew else wanted
        return None if wanted == known else wanted

    amended(programs, told)


def forgotten(known: ProgramParameters, plan: FeaturePlan) -> ProgramParameters:
    """The parameters, saying that profiles no longer keep what is not in a plan."""
    return replace(known, parts=known.parts and still_kept(known.parts, plan))


def noted(parameters: ProgramParameters, program: Program, at: datetime) -> ProgramParameters:
    """The parameters, saying of the rules that they make of a program since when these are in force: `at` for those of
    which nobody said it before."""
    marks = marks_of(replace(program, parameters=parameters)).values()
    return replace(parameters, since={mark: parameters.since.get(mark, at) for mark in sorted(marks)})


def settled_at(parameters: ProgramParameters) -> datetime | None:
    """When values and what profiles keep are in force everywhere; None where nobody ever published any."""
    changed = [at for at in (parameters.computed_at, parameters.filled_at) if at is not None]
    return max(changed) + SETTLED if changed else None


def amended(
    programs: ProgramStore, change: Callable[[ProgramParameters], ProgramParameters | None]
) -> ProgramParameters | None:
    """Publish the parameters in force with a change as the next version, and return them; None where `change` says that
    there is nothing to do any more. It is asked again where somebody else came first, so nobody's change is lost.

    Raises TransientError when others keep winning.
    """
    for _ in range(_TRIES):
        known = programs.current().parameters
        wanted = change(known)
        if wanted is None:
            return None
        wanted = replace(wanted, version=known.version + 1)
        if programs.publish(wanted):
            return wanted
    raise TransientError("others keep publishing parameters")
