"""A whole program's rules over one customer: churn band, memberships, and until when both surely stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from regulars.domain.rules.compile import FOREVER, Compiled, Facts, Setting, compiled, membership
from regulars.domain.rules.tree import Rule
from regulars.domain.rules.view import View
from regulars.domain.values import value

CHURN_BAND = "churn_band"


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
        self._bands: list[tuple[str, Compiled]] = [(name, compiled(rule, setting)) for name, rule in churn_bands]
        self._segments: list[tuple[str, Compiled]] = [
            (name, membership(name, setting) if name in setting.segments else compiled(rule, setting))
            for name, rule in segments
        ]
        self._conditions = {name: CompiledRule(rule, setting) for name, rule in conditions.items()}

    def evaluate(self, view: View, now: datetime) -> Evaluation:
        """Everything at once, which costs less than asking for the parts."""
        facts = Facts(view)
        band, until = self._band(facts, now)
        facts[CHURN_BAND] = band
        members = []
        for name, run in self._segments:
            verdict, steady = run(facts, now)
            if verdict:
                members.append(name)
            if steady is not FOREVER and steady < until:
                until = steady
        return Evaluation(band, frozenset(members), None if until is FOREVER else until)

    def _band(self, facts: Facts, now: datetime) -> tuple[str | None, datetime]:
        """The first band whose rule holds. Bands after it cannot matter before it, or one before it, changes."""
        until = FOREVER
        for name, run in self._bands:
            verdict, steady = run(facts, now)
            if steady is not FOREVER and steady < until:
                until = steady
            if verdict:
                return name, until
        return None, until

    def churn_band(self, view: View, now: datetime) -> str | None:
        """The first band whose rule holds, None when none does."""
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
