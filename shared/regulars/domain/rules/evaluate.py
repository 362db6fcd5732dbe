"""A whole program's rules over one customer: churn band, memberships, and until when both surely stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from regulars.domain.rules.compile import FOREVER, Facts, Setting, compiled, membership
from regulars.domain.rules.tree import Rule
from regulars.domain.rules.view import View
from regulars.domain.rules.writing import Lines, Module, Writer, block, either, written
from regulars.domain.values import value

CHURN_BAND = "churn_band"
Verdicts = tuple[str | None, list[str], datetime]
"""The band, the segments' names, and until when both stand."""


@value(frozen=True, slots=True)
class Evaluation:
    """`next_flip`: the earliest later instant at which any of it may change with no new event; None for never."""

    churn_band: str | None
    memberships: frozenset[str]
    next_flip: datetime | None


class CompiledRule:
    """One rule, ready to run. Its field `churn_band`, if it has one, is what `churn_band` says."""

    def __init__(self, rule: Rule, setting: Setting) -> None:
        self._run = compiled(rule, setting)

    def verdict(self, view: View, now: datetime, *, churn_band: str | None = None) -> bool:
        """Whether the rule holds at `now`."""
        return self._run(_facts(view, churn_band), now)[0]

    def next_flip(self, view: View, now: datetime, *, churn_band: str | None = None) -> datetime | None:
        """The earliest instant after `now` at which the verdict may change with no new event; never too late."""
        until = self._run(_facts(view, churn_band), now)[1]
        return None if until is FOREVER else until


def _facts(view: View, churn_band: str | None) -> Facts:
    facts = Facts(view)
    facts[CHURN_BAND] = churn_band
    return facts


class _Kept:
    """A rule of a program: what follows where it holds, and `flips_at`, the first instant at which any may change."""

    def __init__(self, *held: str) -> None:
        self._held = list(held)

    def fixed(self, *, verdict: bool) -> Lines:
        return self._held if verdict else []

    def until(self, edge: str, *, verdict: bool) -> Lines:
        return [*block(f"if {edge} < flips_at:", [f"flips_at = {edge}"]), *self.fixed(verdict=verdict)]

    def found(self) -> Lines:
        return [*self.until("until", verdict=False), *either("verdict", self._held, [])]


def _banded(bands: Sequence[tuple[str, Writer]], module: Module) -> str:
    """The function that gives the first band whose rule holds, and until when. Bands after it cannot matter before it,
    or one before it, changes."""
    lines = ["flips_at = FOREVER"]
    for name, writer in bands:
        lines += writer(module, _Kept(f"return {module.constant(name)}, flips_at"))
    return module.function([*lines, "return None, flips_at"])


def _gathered(segments: Sequence[tuple[str, Writer]], band: str, module: Module) -> str:
    """The function that gives the band, the segments that hold, and until when all of it stands."""
    lines = [
        f"band, flips_at = {band}(facts, now)",
        f"facts[{module.constant(CHURN_BAND)}] = band",
        "members = []",
    ]
    for name, writer in segments:
        lines += writer(module, _Kept(f"members.append({module.constant(name)})"))
    return module.function([*lines, "return band, members, flips_at"])


class Evaluator:
    """The compiled rules of one program version. Immutable; make it once and use it for every customer.

    Raises KeyError when a rule refers to a parameter that the setting lacks: loading a program rules that out.
    """

    def __init__(
        self,
        *,
        churn_bands: Sequence[tuple[str, Rule]],
        segments: Sequence[tuple[str, Rule]],
        conditions: Mapping[str, Rule],
        setting: Setting,
    ) -> None:
        """`churn_bands` in order of precedence; `conditions`: campaign name to its extra rule."""
        module = Module()
        band = _banded([(name, written(rule, setting)) for name, rule in churn_bands], module)
        verdicts = _gathered(
            [
                (name, membership(name, setting) if name in setting.segments else written(rule, setting))
                for name, rule in segments
            ],
            band,
            module,
        )
        self._band: Callable[[Facts, datetime], tuple[str | None, datetime]] = module.made(band)
        self._verdicts: Callable[[Facts, datetime], Verdicts] = module.made(verdicts)
        self._conditions = {name: CompiledRule(rule, setting) for name, rule in conditions.items()}

    def evaluate(self, view: View, now: datetime) -> Evaluation:
        """Everything at once, which costs less than asking for the parts."""
        return self.evaluate_facts(Facts(view), now)

    def evaluate_facts(self, facts: Facts, now: datetime) -> Evaluation:
        """The same of facts, which keep what was read of a customer to whom nothing has happened since."""
        band, members, until = self._verdicts(facts, now)
        return Evaluation(band, frozenset(members), None if until is FOREVER else until)

    def churn_band(self, view: View, now: datetime) -> str | None:
        """The first churn band whose rule holds, None when none does."""
        return self._band(Facts(view), now)[0]

    def memberships(self, view: View, now: datetime) -> frozenset[str]:
        """Names of the segments that the customer is in."""
        return self.evaluate(view, now).memberships

    def next_flip(self, view: View, now: datetime) -> datetime | None:
        """The earliest instant after `now` at which band or memberships may change by themselves; never too late."""
        return self.evaluate(view, now).next_flip

    def condition(self, campaign: str, view: View, now: datetime) -> bool:
        """Whether a campaign's extra rule (`when`) holds; True for a campaign without one."""
        rule = self._conditions.get(campaign)
        return rule is None or rule.verdict(view, now, churn_band=self.churn_band(view, now))
