"""One simulation: seeded traffic against the real functions, disturbed as the schedule says, then left to rest."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from infra.local import LocalCloud
from infra.local.cloud import _by_window
from infra.local.functions import FunctionSpec
from infra.local.queues import put_message
from infra.local.schedules import Schedule as ScheduledRun
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedTokens
from regulars.application.publishing import SETTLED
from regulars.application.segments.definitions import HEARD_AFTER
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.sends import Channel, Subscription
from regulars.runtime.recovery import redrive
from tests.simulation.faults import Fault, Faults, Plan
from tests.simulation.model import Answer
from tests.simulation.operator import define, is_filled, members, program_folder, word
from tests.simulation.repeatable import repeatable
from tests.simulation.sources import Adversary, HostileQueue, Lane, hostile, ses_event
from tests.simulation.tasks import Containers, Tasks, environment, quiet
from tests.simulation.traffic import START, Operation, Shop
from tests.traffic import BROWSER, WRITE_KEY, signed

SMS = json.loads(
    json.loads((Path(__file__).parents[2] / "events/send_messages/sms.json").read_text(encoding="utf-8"))["Records"][0][
        "body"
    ]
)["send"]
HORIZON = START + timedelta(hours=3)
REST = timedelta(hours=6)
_MAX_STEPS = 20_000
_MAX_TRIES = 6
_ANNOUNCES = 0.4
"""Share of the refresh's runs that announce."""
_REFRESHES = 2
_DOOMED = 0.01
"""Share of invocations whose time is over in the middle, where there are faults at all."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one simulation does. `rate`: share of AWS calls that suffer a fault; `plan`: faults at given calls;
    `hostile`: whether invocations interleave and sources play tricks (else every kind of request comes once, one after
    the other); `operations`: how many requests; `identity`: shoppers share browsers and cards, and are split and
    joined; `rules`: a segment is defined and changed meanwhile."""

    seed: int
    operations: int = 7
    rate: float = 0.0
    plan: Plan = field(default_factory=dict)
    hostile: bool = True
    identity: bool = False
    rules: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """One request as its client saw it."""

    operation: Operation
    answer: Answer


@dataclass(slots=True)
class Outcome:
    """What a simulation left. `violations` are the checker's findings."""

    schedule: Schedule
    trace: list[tuple[str, str, str, int, str]]
    injected: Plan
    tricks: Counter[str]
    history: list[Try]
    calls: int
    kills: int
    violations: list[str] = field(default_factory=list)

    def replay(self) -> str:
        """The schedule as JSON that `Schedule` is read from again: what to do to see this once more."""
        faults = [[*where, fault.value] for where, fault in sorted(self.injected.items())]
        schedule = self.schedule
        said = {
            name: getattr(schedule, name) for name in ("seed", "operations", "hostile", "identity", "rules", "rate")
        }
        return json.dumps({**said, "faults": faults})


def schedule_from(document: dict[str, Any]) -> Schedule:
    """A schedule kept as a regression; its faults are those that were injected, not the reader's chance."""
    plan = {(function, operation, number): Fault(fault) for function, operation, number, fault in document["faults"]}
    flags = {name: document.get(name, False) for name in ("identity", "rules")}
    return Schedule(document["seed"], document["operations"], 0.0, plan, document["hostile"], **flags)


class Simulation:
    """The cloud, its clients and its adversary, under one schedule."""

    def __init__(self, cloud: LocalCloud, schedule: Schedule) -> None:
        self.cloud, self.schedule = cloud, schedule
        self.chance = random.Random(schedule.seed)  # noqa: S311 no secret
        self.adversary = Adversary(schedule.seed + 1, on=schedule.hostile)
        self.doom = random.Random(schedule.seed + 3)  # noqa: S311 apart, so that a replay draws the same elsewhere
        self.tasks = Tasks(cloud.calls)
        faults_chance = random.Random(schedule.seed + 2)  # noqa: S311 no secret
        self.faults = Faults(self.tasks, lambda: cloud.now, schedule.plan, schedule.rate, faults_chance)
        self.containers = Containers(cloud.functions, self.tasks, self._doom, self._ends)
        cloud.functions = self.containers  # type: ignore[assignment] # stands in for it, and passes the rest on
        self.sources = hostile([source for group in cloud._sources for source in group], self.adversary)
        cloud._sources = _by_window(self.sources)
        cloud._queues = [source for source in self.sources if isinstance(source, HostileQueue)]
        self.busy: Counter[int] = Counter()
        shop = Shop(schedule.seed)
        self.waiting = shop.one_of_each()
        self.horizon = HORIZON
        self.by_day = frozenset[str]()
        self.last = [shop.define()] if schedule.rules and not schedule.hostile else []
        if schedule.hostile:
            self.waiting = shop.operations(schedule.operations, identity=schedule.identity, rules=schedule.rules)
        self.tries: Counter[int] = Counter()
        self.history: list[Try] = []
        self.opted_out: dict[str, int] = {}
        self.reported = 0
        self.tokens = SignedTokens(MemorySecrets({"t": cloud.secret("tokens")}), "t")
        self.order_secret = cloud.secret("orders/shop")
        # A decision by SMS as an earlier evaluation left it: nobody is lost for long enough within a simulation.
        put_message(f"{cloud.stack.name}-messages", json.dumps({"v": 1, "send": SMS}))
        cloud.calls.interceptor, cloud.calls.spares = self.faults, self.faults.spares

    def run(self) -> None:
        """The traffic under the schedule, then rest."""
        for _ in range(_MAX_STEPS):
            if not self._step():
                break
        else:
            raise RuntimeError("the simulation does not come to an end")
        self.adversary.on = self.faults.on = False
        self.faults.plan = {}
        while self.tasks.ready:
            self.tasks.resume(self.tasks.ready[0])
        while self.waiting:
            self._send(self.waiting.pop(0))
        # An attempt that was cut off is given up after ten minutes; a carrier's last word comes after that.
        self.cloud.advance(by=REST, stride=timedelta(minutes=10))
        if self.cloud.dead_letters():
            # What failed too often while AWS did: an operator's redrive brings it to its end.
            self.adversary.counts["redriven"] += 1
            redrive(self.cloud.stack.name, self.cloud.bucket_name, self.cloud.table_name)()
            self.cloud.advance(by=REST, stride=timedelta(minutes=10))
        self._night()
        self.cloud.settle()

    def _night(self) -> None:
        """Whom the last values move is told; whom definitions move was, but what could not be filled by day is now."""
        if self.schedule.rules and not is_filled(self.cloud):
            self.cloud._run(self._schedule_of("reconcile"), self.cloud.now)
            self.cloud.advance(by=2 * SETTLED)
        self.by_day = members(self.cloud)
        self.cloud._run(self._schedule_of("refresh", announces=True), self.cloud.now)

    # ------------------------------------------------------------------ the adversary's moves

    def _step(self) -> bool:
        """One move; False when nothing is left to do before the horizon."""
        if not self.schedule.hostile:
            return self._orderly_step()
        moves: list[tuple[float, Callable[[], None]]] = [
            (4.0, partial(self.tasks.resume, task)) for task in self.tasks.ready
        ]
        if self._due_requests():
            moves.append((2.0, self._request))
        moves += [(3.0, partial(self._deliver, source)) for source in self._idle_sources()]
        if moves and self.schedule.rules:
            moves.append((0.02, self._reconcile))
        if moves:
            moves += [(0.1, self._tick), (0.03, self._refresh), (0.15, self._wait), (0.2, self._report)]
        elif not self._pass_time():
            return False
        if moves:
            self.chance.choices([move for _, move in moves], [weight for weight, _ in moves])[0]()
        return True

    def _orderly_step(self) -> bool:
        """One thing after the other, to its end: the same calls each time."""
        if self.tasks.ready:
            self.tasks.resume(self.tasks.ready[0])
        elif sources := self._idle_sources():
            self._deliver(sources[0])
        elif self._due_requests():
            self._request()
        elif self.reported < len(self.cloud.mail):
            self._report()
        else:
            return self._pass_time()
        return True

    def _idle_sources(self) -> list[HostileQueue | Lane]:
        """Sources that could start a delivery: a queue has two at most under way, a lane one."""
        return [
            source
            for source in self.sources
            if source.has_work() and self.busy[id(source)] < (2 if isinstance(source, HostileQueue) else 1)
        ]

    def _deliver(self, source: HostileQueue | Lane) -> None:
        def work() -> None:
            try:
                source.pump()
            finally:
                self.busy[id(source)] -= 1

        self.busy[id(source)] += 1
        self.tasks.start(source.function, work)
        self.tasks.resume(self.tasks.ready[-1])

    def _request(self) -> None:
        due = self._due_requests()
        operation = self.chance.choice(due) if self.schedule.hostile else due[0]
        self.waiting.remove(operation)
        self.tasks.start("client", partial(self._send, operation))
        self.tasks.resume(self.tasks.ready[-1])

    def _due_requests(self) -> list[Operation]:
        return [operation for operation in self.waiting if START + operation.after <= self.cloud.now]

    def _tick(self) -> None:
        """A tick, or two at once: EventBridge delivers at least once."""
        for _ in range(2 if self.adversary.does("two ticks at once", 0.3) else 1):
            self._run_schedule("tick")

    def _refresh(self) -> None:
        for _ in range(2 if self.adversary.does("two refreshes at once", 0.5) else 1):
            self._run_schedule("refresh", announces=self.chance.random() < _ANNOUNCES)

    def _reconcile(self) -> None:
        self._run_schedule("reconcile")

    def _run_schedule(self, function: str, *, announces: bool = False) -> None:
        schedule = self._schedule_of(function, announces=announces)
        slot = self.cloud.now
        self.tasks.start(function, partial(self.cloud._run, schedule, slot))

    def _schedule_of(self, function: str, *, announces: bool = False) -> ScheduledRun:
        """A function's schedule; of the refresh's two, that which computes or that which announces."""
        of_function = [one for one in self.cloud._schedules if one.function == function]
        return next(one for one in of_function if (one.input is not None) == announces)

    def _wait(self) -> None:
        """Time passes while things are under way: longer than a message stays invisible, longer than a lease."""
        seconds = self.chance.choice((1, 1, 20, 20, 61, 400, 700))
        self.cloud._clock.move_to(self.cloud.now + timedelta(seconds=seconds))

    def _pass_time(self) -> bool:
        """Nothing is under way: on to the next instant at which something happens. False at the horizon."""
        found = self.cloud._next_instant(timedelta(minutes=1), {"refresh": timedelta(days=9)})
        request = min((START + operation.after for operation in self.waiting), default=None)
        if request is not None and (found is None or request < found[0]):
            found = request, None
        if found is None or found[0] > self.horizon:
            return self._nightly()
        instant, schedule = found
        self.cloud._clock.move_to(max(instant, self.cloud.now))
        if schedule is not None:
            self._run_schedule(schedule.function, announces=schedule.input is not None)
        return True

    def _nightly(self) -> bool:
        """What runs every night belongs to every orderly run, and a definition after it."""
        if not self.schedule.hostile:
            if self.cloud.invocations["refresh"] < _REFRESHES:
                self._wait_for_refresh()
                return True
            for function in ("reconcile", "monitor", "snapshot"):
                if not self.cloud.invocations[function]:
                    self._run_schedule(function)
                    return True
            if self.last:
                # Once it is known what profiles keep, so that they must be filled.
                self.waiting.append(self.last.pop())
                self.horizon = self.cloud.now + HEARD_AFTER + 2 * SETTLED
                return True
        return False

    def _wait_for_refresh(self) -> None:
        """New values, then whom they move."""
        announces = self.cloud.invocations["refresh"] > 0
        if announces:
            self.cloud._clock.move_to(self.cloud.now + SETTLED)
        self._run_schedule("refresh", announces=announces)

    def _report(self) -> None:
        """SES tells what became of a message, in an order of its own."""
        if self.reported >= len(self.cloud.mail):
            return
        mail = self.cloud.mail[self.reported]
        self.reported += 1
        kinds = ("Send", "Delivery", "Open") if self.schedule.hostile else ("Send",)
        for kind in self.chance.sample(kinds, self.chance.randint(1, len(kinds))):
            put_message(f"{self.cloud.stack.name}-feedback", json.dumps(ses_event(kind, mail)))

    def _doom(self, _function: str) -> int | None:
        """Now and then an invocation's time is over in the middle."""
        doomed = self.schedule.rate and self.faults.on and self.doom.random() < _DOOMED
        return self.doom.randint(1, 8) if doomed else None

    def _ends(self, spec: FunctionSpec) -> datetime | None:
        """Time-outs are real where rules change: what is known within minutes of a change is so thanks to them.
        Elsewhere invocations outlive theirs, which is worse than Lambda."""
        if not self.schedule.rules:
            return None
        return self.cloud.now + timedelta(seconds=spec.timeout_seconds)

    # ------------------------------------------------------------------ the clients

    def _send(self, operation: Operation) -> None:
        """One request, noted as its client sees it; who gets no answer asks again, and so do some who got one."""
        self.tries[operation.number] += 1
        status = self._requested(operation)
        answer = Answer.OK if status == 200 else Answer.UNKNOWN if status >= 500 or status == 429 else Answer.FAILED
        self.history.append(Try(operation, answer))
        if operation.kind == "opt_out" and answer is Answer.OK:
            node = node_id(NodeKind.EMAIL, operation.payload)
            self.opted_out.setdefault(node, len(self.faults.trace))
        if self.tries[operation.number] < _MAX_TRIES and (
            answer is Answer.UNKNOWN or self.adversary.does("request again", 0.15)
        ):
            self.waiting.append(operation)

    def _requested(self, operation: Operation) -> int:
        body = json.dumps(operation.payload).encode()
        match operation.kind:
            case "split" | "join":
                shopper, browser = operation.payload
                return word(
                    self.cloud, operation.kind, node_id(NodeKind.USER, shopper), node_id(NodeKind.ANONYMOUS, browser)
                )
            case "define":
                return define(self.cloud, operation.payload)
            case "pixel":
                path = "/p.gif?" + urlencode({"writeKey": WRITE_KEY, **operation.payload})
                return self.cloud.request("GET", path, {"user-agent": BROWSER}).status
            case "order":
                headers = signed(self.order_secret, int(self.cloud.now.timestamp()), body)
                return self.cloud.request("POST", "/webhooks/orders/shop", headers, body).status
            case "opt_out":
                node = node_id(NodeKind.EMAIL, operation.payload)
                token = self.tokens.issue(Subscription(address_node=node, channel=Channel.EMAIL))
                headers = {"content-type": "application/x-www-form-urlencoded"}
                return self.cloud.request(
                    "POST", f"/unsubscribe?t={token}", headers, b"List-Unsubscribe=One-Click"
                ).status
        headers = {"authorization": "Basic ZGV2LXdyaXRlLWtleTo=", "content-type": "application/json"}
        headers["user-agent"] = BROWSER
        return self.cloud.request(
            "POST", "/v1/batch", headers, json.dumps({"batch": operation.payload}).encode()
        ).status


@contextmanager
def disturbed(schedule: Schedule, bug: Callable[[], AbstractContextManager[Any]] = nullcontext) -> Iterator[Simulation]:
    """A simulation that has run and come to rest, its cloud still there. `bug` is in the system meanwhile."""
    random.seed(schedule.seed)  # botocore's jitter
    own = {"PROGRAM_PATH": str(program_folder())}  # the functions', and the operator's who runs commands beside them
    with repeatable(), bug(), environment(own), LocalCloud(start=START, direct=True) as cloud, quiet(cloud.functions):
        for name in cloud.functions.specs:
            cloud.functions.configure(name, **own)
        simulation = Simulation(cloud, schedule)
        simulation.run()
        yield simulation
