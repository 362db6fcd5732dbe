"""The program: segments, churn bands and campaigns as a store writes them down, and its compiled form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from regulars.domain.customer import Terms
from regulars.domain.facts import Fact
from regulars.domain.links import IdentityRules
from regulars.domain.marks import digest, joined, marks_of, parted, written
from regulars.domain.parameters import Look, ParameterDefinition, ProgramParameters
from regulars.domain.plan import FeaturePlan, plan_of_rules
from regulars.domain.rules.aggregates import Measure
from regulars.domain.rules.compile import FOREVER, Facts, Setting, compiled, measured
from regulars.domain.rules.describe import described
from regulars.domain.rules.durations import LONGEST, parse_duration
from regulars.domain.rules.evaluate import CHURN_BAND, Evaluation, Evaluator
from regulars.domain.rules.explain import Scene, Trace, explained
from regulars.domain.rules.fields import LAPSING, Kind
from regulars.domain.rules.nodes import Duration, Node
from regulars.domain.rules.reads import SCORES, Concern, reads, segments_in
from regulars.domain.rules.tree import Rule
from regulars.domain.rules.view import View
from regulars.domain.rules.windows import zone_of
from regulars.domain.scores.scoring import Scorer
from regulars.domain.scores.seen import kept_for, seen_by
from regulars.domain.sends import Channel
from regulars.domain.waits import Waits, needed_by, waits_of

__all__ = [
    "Campaign", "ChurnBand", "ChurnModel", "CompiledProgram", "FrequencyCap", "OncePer", "Program", "ProgramParameters",
    "Segment",
]  # fmt: skip

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Names go into keys, metrics and file names: small letters, digits and underscores."""
Text = Annotated[str, Field(max_length=500)]
NO_WAIT = timedelta(0)


def _wait(raw: Any) -> timedelta:
    return NO_WAIT if raw == 0 and not isinstance(raw, bool) else parse_duration(raw)


class OncePer(StrEnum):
    """What makes an occasion a new one, so that a campaign may write again: never, another cart, another order."""

    CUSTOMER = "customer"
    CART = "cart"
    ORDER = "order"


class Segment(Node):
    """A named group of customers: those for whom the rule holds."""

    name: Name
    description: Text = ""
    rule: Rule


class ChurnBand(Node):
    """One band of the churn model: the customers for whom the rule holds and no earlier band's does."""

    name: Name
    description: Text = ""
    rule: Rule


class ChurnModel(Node):
    """Bands in order of precedence; a customer for whom none holds (no orders yet) has no band."""

    bands: tuple[ChurnBand, ...] = Field(default=(), max_length=10)


class Campaign(Node):
    """One message to each customer who enters a segment.

    `wait` after the entry, then membership and `when` are looked at again. `not_after`: how long after that the message
    may still go out. `priority`: the higher goes first where campaigns compete for the frequency cap.
    """

    name: Name
    description: Text = ""
    channel: Channel
    template: Name
    segment: Name
    wait: Annotated[timedelta, BeforeValidator(_wait)] = NO_WAIT
    once_per: OncePer
    not_after: Duration = timedelta(days=1)
    priority: int = Field(default=0, ge=0, le=1000)
    when: Rule | None = None


class FrequencyCap(Node):
    """At most `messages` within a time that ends now, over all channels together or for each alone."""

    messages: int = Field(ge=1, le=100)
    within: Duration = Field(le=LONGEST)
    per: Literal["all", "channel"] = "all"

    @property
    def per_channel(self) -> bool:
        """Whether each channel has its own allowance."""
        return self.per == "channel"


@dataclass(frozen=True)
class Program:
    """Everything that decides, as checked data.

    Made by `regulars.domain.loading.load_program`, which guarantees that names are unique and references resolve.
    `source` is the hash of what the files say. `suspended`: segments that operators put and that the files no longer
    fit; nobody enters or leaves them.
    """

    source: str
    currency: str
    segments: tuple[Segment, ...]
    churn: ChurnModel
    campaigns: tuple[Campaign, ...]
    definitions: Mapping[str, ParameterDefinition]
    parameters: ProgramParameters
    frequency_cap: FrequencyCap | None = None
    identity: IdentityRules = field(default_factory=IdentityRules)
    time_zone: str = "UTC"
    suspended: frozenset[str] = frozenset()

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone whose calendar the rules go by."""
        return zone_of(self.time_zone)

    @cached_property
    def values(self) -> dict[str, int]:
        """Every defined parameter's value in force: the refresh's, or the default before it, and where it would be of
        another unit."""
        return {
            name: self.parameters.values[name] if name in self.computed else definition.default
            for name, definition in self.definitions.items()
        }

    @cached_property
    def computed(self) -> frozenset[str]:
        """The parameters of which a refresh computed a value in the unit that they have."""
        values, units = self.parameters.values, self.parameters.units
        return frozenset(name for name, unit in self.units.items() if name in values and units.get(name, unit) == unit)

    @cached_property
    def units(self) -> dict[str, str]:
        """Every parameter's unit: a currency, or what else is counted."""
        return {
            name: self.currency if definition.of.kind is Kind.MONEY else definition.of.kind.value
            for name, definition in self.definitions.items()
        }

    @cached_property
    def definition_marks(self) -> dict[str, str]:
        """Of every parameter the mark of the definition that its value in force was computed by: until the next refresh
        that is another than the definition itself, where this was changed."""
        return {name: self.parameters.computed_by.get(name, mark) for name, mark in self.own_marks.items()}

    @cached_property
    def own_marks(self) -> dict[str, str]:
        """The mark of every parameter's definition."""
        return {name: digest(repr(written(definition))) for name, definition in self.definitions.items()}

    @cached_property
    def rules_version(self) -> str:
        """10 hex digits over the files, what waits and what is suspended: what is the same while only values change."""
        return digest(f"{self.source}\n{self.waits.told()}{sorted(self.suspended) or ''}", 10)

    @cached_property
    def version(self) -> str:
        """16 hex digits, the first 10 of them the rules', the others over the values in force: a refresh that changes
        no value, and by no other definition, keeps the version."""
        values: Any = [(name, value, self.definition_marks[name]) for name, value in sorted(self.values.items())]
        if self.reads_scores and self.parameters.scores is not None:
            values = [values, self.parameters.scores.fitted_at]
        return self.rules_version + digest(str(values), 6)

    @cached_property
    def reads_scores(self) -> bool:
        """Whether a rule looks at predictions, RFM or the lifecycle: then new models are new values."""
        return any(SCORES in reads(rule) for rule in _rules(self) if not isinstance(rule, Measure))

    @cached_property
    def waits(self) -> Waits:
        """What looks at what profiles do not keep of the whole log yet, until they do (`regulars reconcile`, by day for
        definitions that are put)."""
        return waits_of(self)

    @property
    def waiting(self) -> frozenset[str]:
        """The segments that nobody enters or leaves for now."""
        return self.waits.segments | self.suspended

    @cached_property
    def plan(self) -> FeaturePlan:
        """The event counters that the rules and the scores look at. Raises BadInputError when they are too many."""
        scores = kept_for(self.parameters.scores) if self.reads_scores else {}
        return plan_of_rules(_rules(self), besides=scores)

    @cached_property
    def needed(self) -> dict[str, int]:
        """What of the plan verdicts of now rest on (FeaturePlan.parts): all but what another night's scores may."""
        return needed_by(self, _rules(self))

    @cached_property
    def seen_by(self) -> tuple[str, ...]:
        """The events by which the scores know when a customer was seen."""
        return seen_by(self.parameters.scores, self.plan, self.parameters.parts)

    @cached_property
    def compiled(self) -> CompiledProgram:
        """The compiled form, made once."""
        return CompiledProgram(self)

    def with_parameters(self, parameters: ProgramParameters) -> Program:
        """The same program under other parameters; this very one when they are older than, or the same as, its own."""
        return replace(self, parameters=parameters) if parameters.version > self.parameters.version else self

    def describe(self, segment: str) -> str:
        """A segment's rule in plain English. Raises KeyError on an unknown segment."""
        return described(_by_name(self.segments)[segment].rule, self.currency)


def _by_name(items: Iterable[Segment]) -> dict[str, Segment]:
    return {item.name: item for item in items}


def _rules(program: Program) -> list[Any]:
    rules: list[Any] = [segment.rule for segment in program.segments]
    rules += [band.rule for band in program.churn.bands]
    rules += [campaign.when for campaign in program.campaigns if campaign.when is not None]
    rules += [definition.of for definition in program.definitions.values()]
    return rules


def _named(program: Program) -> dict[str, Any]:
    """The rules of the segments that other rules name."""
    segments = {segment.name: segment.rule for segment in program.segments}
    return {name: segments[name] for rule in _rules(program) for name in segments_in(rule)}


class CompiledProgram:
    """A program ready to run over customers. Immutable; one per program version and process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.version = program.version
        self.currency = program.currency
        self.scorer = Scorer(program.parameters.scores) if program.parameters.scores else None
        self.terms = Terms(program.plan, program.currency, program.zone, self.scorer, program.seen_by)
        self.frequency_cap = program.frequency_cap
        self.cap_window = program.frequency_cap.within if program.frequency_cap else NO_WAIT
        self.plan = program.plan
        self.identity = program.identity
        self.waiting = program.waiting
        self.held = program.waits.campaigns
        self.bands_wait = program.waits.bands
        self._marks = marks_of(program)
        self.known_rules = joined(self._marks.values())
        self._segments = _by_name(program.segments)
        self._concern = Concern(
            [*(segment.rule for segment in program.segments), *(band.rule for band in program.churn.bands)]
        )
        self._rank = {
            campaign.name: (-campaign.priority, position) for position, campaign in enumerate(program.campaigns)
        }
        self._campaigns = {campaign.name: campaign for campaign in program.campaigns}
        self._of_segment: dict[str, list[Campaign]] = {}
        for campaign in program.campaigns:
            self._of_segment.setdefault(campaign.segment, []).append(campaign)
        self.setting = Setting(program.values, program.zone, _named(program))
        self.evaluator = Evaluator(
            churn_bands=[(band.name, band.rule) for band in program.churn.bands],
            segments=[
                (segment.name, segment.rule) for segment in program.segments if segment.name not in program.waiting
            ],
            conditions={campaign.name: campaign.when for campaign in program.campaigns if campaign.when is not None},
            setting=self.setting,
        )

    def told(self, now: datetime) -> Look | None:
        """The look at everybody that counts as of `now` (ProgramParameters.told)."""
        return self.program.parameters.told(now)

    def new_to(self, known: str) -> frozenset[str]:
        """The segments whose rules are not among the marks that a customer was decided by; `marks.BANDS` among them
        where the churn bands' are not."""
        if known == self.known_rules:
            return frozenset()
        marks = parted(known)
        return frozenset(name for name, mark in self._marks.items() if mark not in marks)

    def in_force_since(self, name: str) -> datetime | None:
        """When the rules of a segment (of marks.BANDS: of the churn bands) came into force; None where nobody noted."""
        return self.program.parameters.since.get(self._marks[name])

    def concerns(self, fact: Fact) -> bool:
        """Whether a fact can change a band, a membership or their next flip. False: it only needs to be folded."""
        return self._concern(fact)

    def evaluate(self, view: View, now: datetime) -> Evaluation:
        """Churn band, memberships and next flip in one pass: about the cost of one of them."""
        return self.evaluator.evaluate(view, now)

    def churn_band(self, view: View, now: datetime) -> str | None:
        """The first churn band whose rule holds, None when none does."""
        return self.evaluator.churn_band(view, now)

    def memberships(self, view: View, now: datetime) -> frozenset[str]:
        """Names of the segments that the customer is in."""
        return self.evaluator.memberships(view, now)

    def next_flip(self, view: View, now: datetime) -> datetime | None:
        """The earliest instant after `now` at which band or memberships may change by themselves; never too late."""
        return self.evaluator.next_flip(view, now)

    def explain(self, segment: str, view: View, now: datetime, *, ends: bool = False) -> Trace:
        """Why the customer is in a segment or not, operand by operand; with `ends` also until when each part surely
        stays as it is. Raises KeyError on an unknown segment."""
        return self._explained(self._segments[segment].rule, view, now, ends=ends)

    def explain_churn(self, view: View, now: datetime) -> dict[str, Any]:
        """The band and the trace of every band's rule, in order of precedence."""
        bands = [{"band": band.name, "why": self._explained(band.rule, view, now)} for band in self.program.churn.bands]
        return {"churn_band": self.churn_band(view, now), "bands": bands}

    def applies(self, campaign: Campaign, view: View, now: datetime) -> bool:
        """Whether the campaign's extra rule (`when`) holds; True for a campaign without one."""
        return self.evaluator.condition(campaign.name, view, now)

    def explain_campaign(self, campaign: Campaign, view: View, now: datetime) -> Trace:
        """Why the campaign's extra rule holds or not; `{"ok": True}` for a campaign without one."""
        return {"ok": True} if campaign.when is None else self._explained(campaign.when, view, now)

    def campaigns_of(self, segment: str) -> Sequence[Campaign]:
        """The campaigns that an entry into a segment starts, in the order of the program."""
        return self._of_segment.get(segment, ())

    def by_priority(self, campaigns: Iterable[str]) -> list[Campaign]:
        """The named campaigns, the higher priority first, else in the program's order; unknown names are left out."""
        known = [name for name in campaigns if name in self._campaigns]
        return [self._campaigns[name] for name in sorted(known, key=self._rank.__getitem__)]

    def measures(self, view: View, now: datetime) -> dict[str, int]:
        """The customer's part in each population parameter, by its name; for the refresh."""
        return {name: measured(definition.of, view, now) for name, definition in self.program.definitions.items()}

    def _explained(self, rule: Any, view: View, now: datetime, *, ends: bool = False) -> Trace:
        facts = Facts(view)
        facts[CHURN_BAND] = self.churn_band(view, now)
        if not ends:
            return explained(rule, Scene(facts, now, self.setting, self.currency))
        bands = [(band.name, band.rule) for band in self.program.churn.bands]
        return explained(rule, Scene(facts, now, self._ending(view, now), self.currency, ends=True, bands=bands))

    def _ending(self, view: View, now: datetime) -> Setting:
        """The setting in which verdicts end also where this customer's consents do, or the churn band may."""
        ends = {field: end for field in LAPSING if (end := view.changes(field, None, now)) is not None}
        setting = replace(self.setting, ends=ends, ready={})
        facts = Facts(view)
        until = FOREVER
        for band in self.program.churn.bands:
            holds, stands = compiled(band.rule, setting)(facts, now)
            until = min(until, stands)
            if holds:
                break
        return replace(setting, ends={**ends, CHURN_BAND: until}, ready={})
