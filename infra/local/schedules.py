"""Schedules of the template: when each next runs, and the envelope that EventBridge sends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from cronsim import CronSim

from infra.local.template import ACCOUNT, REGION, Stack, TemplateError

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_UNITS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One EventBridge rule. `period` for a rate, `cron` (five fields, UTC) otherwise. `input`: what the target gets
    instead of EventBridge's own event, where the template says so."""

    name: str
    rule_arn: str
    function: str
    period: timedelta | None
    cron: str
    retries: int
    failure_queue: str | None
    input: str | None = None

    def next_after(self, instant: datetime) -> datetime:
        """The first slot strictly after `instant`. Rates count from 1970 (on AWS: from the rule's creation)."""
        if self.period is not None:
            return _EPOCH + ((instant - _EPOCH) // self.period + 1) * self.period
        return next(CronSim(self.cron, instant.astimezone(UTC)))

    def envelope(self, slot: datetime) -> dict[str, Any]:
        """The event of one slot."""
        if self.input is not None:
            given: dict[str, Any] = json.loads(self.input)
            return given
        return {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": slot.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [self.rule_arn],
            "detail": {},
        }


def parse_expression(expression: str) -> tuple[timedelta | None, str]:
    """`rate(...)` as a period, `cron(...)` as five-field cron.

    Raises TemplateError on what cannot be translated exactly: years, and numbered weekdays (1 is Sunday for
    EventBridge, Monday for cron).
    """
    if match := _RATE.fullmatch(expression):
        return int(match[1]) * _UNITS[match[2]], ""
    match = _CRON.fullmatch(expression)
    if match is None:
        raise TemplateError(f"not a schedule: {expression}")
    minute, hour, day, month, weekday, year = match.groups()
    if year != "*" or any(letter.isdigit() for letter in weekday):
        raise TemplateError(f"this schedule cannot be translated: {expression}")
    return None, " ".join((minute, hour, day.replace("?", "*"), month, weekday.replace("?", "*")))


def schedules(stack: Stack, functions: dict[str, str]) -> list[Schedule]:
    """The stack's schedules. `functions` gives a function's name by its ARN."""
    result = []
    for logical, properties in stack.of_type("AWS::Events::Rule"):
        if "ScheduleExpression" not in properties or properties.get("State", "ENABLED") != "ENABLED":
            continue
        period, cron = parse_expression(properties["ScheduleExpression"])
        (target,) = properties["Targets"]
        retries, failure_queue = _on_failure(stack, functions[target["Arn"]], functions)
        result.append(
            Schedule(
                logical,
                stack.get_att(logical, "Arn"),
                functions[target["Arn"]],
                period,
                cron,
                retries,
                failure_queue,
                target.get("Input"),
            )
        )
    return result


def _on_failure(stack: Stack, function: str, functions: dict[str, str]) -> tuple[int, str | None]:
    """How often Lambda itself runs a failed asynchronous invocation again (2 unless told), and where it then goes."""
    for _logical, properties in stack.of_type("AWS::Lambda::EventInvokeConfig"):
        if functions.get(properties["FunctionName"]) == function:
            destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            return int(properties.get("MaximumRetryAttempts", 2)), destination.rsplit(":", 1)[
                1
            ] if destination else None
    return 2, None
