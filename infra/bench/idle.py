"""What the template costs in a month in which nothing happens."""

from __future__ import annotations

from typing import Any

import yaml

from infra.bench import prices
from infra.bench.handlers import ROOT

_MINUTES = 60 * 24 * 30
_POLLERS = 5
"""Lambda's pollers of an idle queue, each in a long poll of 20 seconds (Lambda, "SQS event source mappings")."""
_POLLS_A_MINUTE = 3
_TICK_SHARDS = 8
_TICK_SECONDS = 0.12
"""Assumed duration of an idle tick: eight empty queries, one after the other, and their client's CPU."""
_TICK_LOG_BYTES = 330
_TRACED_SHARE = 1.0
"""X-Ray traces the first request of each second, and a tick is alone in its second."""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref and the like) as plain data."""


def _short_form(_loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    return {suffix: node.value}


_Loader.add_multi_constructor("!", _short_form)


def _template() -> dict[str, Any]:
    text = (ROOT / "infra" / "template.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    return document


def idle_month() -> dict[str, float]:
    """US dollars by item, without what only a shop on BigCommerce needs. Refresh, reconcile, snapshot and monitor
    find nothing once a night: below a cent."""
    template = _template()
    resources = [given for given in template["Resources"].values() if given.get("Condition") != "HasBigCommerce"]
    count = {kind: sum(resource["Type"] == kind for resource in resources) for kind in {r["Type"] for r in resources}}
    alarms = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"]
    metrics = sum(sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1 for alarm in alarms)
    mappings = [r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::EventSourceMapping"]
    polled = sum("FilterCriteria" not in mapping for mapping in mappings)
    globals_ = template["Globals"]["Function"]
    gigabytes = globals_["MemorySize"] / 1024
    traced = globals_.get("Tracing") == "Active"
    return {
        f"{metrics} metrics in alarms": metrics * prices.ALARM_METRIC_MONTH,
        f"{count['AWS::SecretsManager::Secret']} secrets": count["AWS::SecretsManager::Secret"] * prices.SECRET_MONTH,
        f"{count['AWS::KMS::Key']} keys": count["AWS::KMS::Key"] * prices.KMS_KEY_MONTH,
        f"polling of {polled} queues": polled * _POLLERS * _POLLS_A_MINUTE * _MINUTES * prices.SQS_REQUEST,
        "ticks: Lambda requests": _MINUTES * prices.LAMBDA_REQUEST,
        "ticks: Lambda GB-seconds": _MINUTES * _TICK_SECONDS * gigabytes * prices.LAMBDA_GB_SECOND,
        "ticks: DynamoDB reads": _MINUTES * _TICK_SHARDS * 0.5 * prices.DYNAMODB_READ_UNIT,
        "ticks: logs": _MINUTES * _TICK_LOG_BYTES / 1e9 * prices.LOGS_GB,
        "ticks: X-Ray traces": traced * _TRACED_SHARE * _MINUTES * prices.XRAY_TRACE,
    }
