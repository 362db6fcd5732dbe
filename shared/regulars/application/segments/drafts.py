"""Drafts: definitions that are not in force, checked against the program and tried out on all customers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from regulars.domain.instants import iso
from regulars.domain.plan import lacking

if TYPE_CHECKING:
    from regulars.application.segments.population import Population
    from regulars.domain.definitions import Basis
    from regulars.domain.found import Found
    from regulars.domain.program import Program


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would be: `found` among all customers, and of the segment as it is now how many `stays`, `enters`,
    `leaves` (None where there is none of that name). `unfilled`: what the draft asks for and profiles do not keep, or
    not as far back, so that the figures are wrong until a rebuild has filled it in."""

    name: str
    described: str
    found: Found
    stays: int | None
    enters: int | None
    leaves: int | None
    unfilled: tuple[str, ...]
    seconds: float


class PreviewSegment:
    """Call it with a draft's name and data."""

    def __init__(self, *, basis: Callable[[], Basis], population: Population, now: Callable[[], datetime]) -> None:
        self._basis = basis
        self._population = population
        self._now = now

    def __call__(self, name: str, raw: object, *, sample: int = 10) -> Preview:
        """Raises BadInputError `bad_program` naming everything that is wrong with the draft."""
        started = time.monotonic()
        basis, now = self._basis(), self._now()
        basis.with_draft(name, raw, now=now)
        program, other = basis.beside(name, raw, now=now)
        # What waits for the log to be filled in is tried out all the same, on what there is.
        everything = replace(program, parameters=replace(program.parameters, parts=None))
        found = self._population.find(everything, name, sample=sample)
        stays = found.both.get(other)
        return Preview(
            name=name,
            described=program.describe(name),
            found=replace(
                found,
                sizes=_without(found.sizes, other),
                both=_without(found.both, other),
                left_out=tuple(left for left in found.left_out if left != other),
            ),
            stays=stays,
            enters=None if stays is None else found.size - stays,
            leaves=None if stays is None else found.sizes[other] - stays,
            unfilled=unfilled(basis, program),
            seconds=time.monotonic() - started,
        )


def _without(counts: Mapping[str, int], name: str) -> dict[str, int]:
    return {key: count for key, count in counts.items() if key != name}


def unfilled(basis: Basis, wanted: Program) -> tuple[str, ...]:
    """What `wanted` looks at and profiles do not keep of the whole log yet, in an operator's words."""
    kept = basis.parameters.parts
    if kept is None:  # nobody has said: then what the program in force asks for
        kept = basis.program().needed
    features = wanted.plan.features
    new = lacking(wanted.needed, kept)
    return tuple(sorted({f"some {features[name].event}" if name in features else name for name in new}))


def preview_doc(found: Preview) -> dict[str, Any]:
    """The JSON document of a preview."""
    overlap = [
        {"segment": name, "size": found.found.sizes[name], "both": both}
        for name, both in sorted(found.found.both.items(), key=lambda item: (-item[1], item[0]))
    ]
    doc: dict[str, Any] = {
        "segment": found.name,
        "rule": found.described,
        "customers": found.found.customers,
        "size": found.found.size,
        "sample": list(found.found.sample),
        "overlap": overlap,
        "left_out": list(found.found.left_out),
        "not_computed": found.found.not_computed,
        "unfilled": list(found.unfilled),
        "as_of": iso(found.found.as_of),
        "source": found.found.source,
        "seconds": round(found.seconds, 3),
    }
    if found.stays is not None:
        doc["change"] = {"stays": found.stays, "enters": found.enters, "leaves": found.leaves}
    return doc
