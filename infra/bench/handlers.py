"""The real handlers on memory adapters, called as Lambda's runtime calls them: JSON text in, JSON text out.

Only the composition differs from production: the builders in `regulars.runtime.compose` are replaced while a handler
module is loaded. CPU time is taken round each call, so making envelopes (which is the work of AWS) does not count.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.artifacts.plan import CONTRACTS
from infra.bench.traffic import START, WRITE_KEY
from regulars.adapters.bots import CrawlerList
from regulars.adapters.items import due_shard
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.program_files import program_files
from regulars.adapters.system import RandomIds
from regulars.application.collect.cors import Origins
from regulars.application.collect.keys import WriteKeys
from regulars.application.collect.service import Collect
from regulars.application.evaluate_customers import EvaluateCustomers
from regulars.application.ingest import ingest
from regulars.application.outbox import Relay
from regulars.application.update_customers import UpdateCustomers
from regulars.domain.loading import load_program
from regulars.runtime import compose

ROOT = Path(__file__).resolve().parents[2]
_CONTEXT = SimpleNamespace(
    function_name="bench",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    aws_request_id="00000000-0000-4000-8000-000000000000",
)
_ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "regulars",
    "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
    "PROGRAM_PATH": str(ROOT / "program"),
    "CONTRACTS_PATH": str(ROOT / CONTRACTS),
}


class StreamedStore(MemoryCustomerStore):
    """The store in memory, with its writes as the records of a DynamoDB stream."""

    def records(self) -> list[dict[str, Any]]:
        """All records since the last call that the template's filter lets through to evaluate_customers."""
        stream, self._stream = self._stream, []
        records = []
        for node, kind, before, after in stream:
            self._sequence += 1
            if kind == "STATE" and not after.outbox:
                continue
            body: dict[str, Any] = {
                "Keys": {"pk": {"S": node}, "sk": {"S": kind}},
                "SequenceNumber": str(self._sequence),
                "NewImage": _image(node, kind, after),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            }
            if before is not None:
                body["OldImage"] = _image(node, kind, before)
            name = "INSERT" if before is None else "MODIFY"
            records.append({"eventSource": "aws:dynamodb", "eventName": name, "dynamodb": body})
        return records


def _image(node: str, kind: str, row: Any) -> dict[str, Any]:
    image = {
        "pk": {"S": node},
        "sk": {"S": kind},
        "doc": {"S": row.doc},
        "version": {"N": str(row.version)},
        "owner": {"S": row.owner},
    }
    if row.applied is not None:
        image["applied"] = {"S": row.applied}
    if kind == "STATE":
        image["outbox"] = {"N": str(row.outbox)}
        if row.due_at is not None:
            image["due_shard"] = {"S": due_shard(node)}
    return image


class Handlers:
    """Four handlers of one small deployment in memory. `cpu` adds up seconds, `runs` invocations, by function."""

    def __init__(self) -> None:
        self.events, self.messages = MemoryQueue(), MemoryQueue()
        self.log, self.store = MemoryEventLog(), StreamedStore()
        self.catalogue = MemoryCatalogue()
        self.programs = MemoryProgramStore(load_program(program_files(ROOT / "program")))
        self.clock = FixedClock(START)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.runs: Counter[str] = Counter()
        self._sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the handlers live
        os.environ.update(_ENVIRONMENT)
        self._handlers = {name: self._loaded(name, builder) for name, builder in self._builders().items()}

    def call(self, name: str, event: Mapping[str, Any]) -> Any:
        """One invocation; its reply. CPU time covers reading the event's JSON and writing the reply's, as in Lambda."""
        payload = json.dumps(event)
        handler = self._handlers[name]
        with redirect_stdout(self._sink):
            begun = time.process_time()
            reply = json.dumps(handler(json.loads(payload), _CONTEXT))
            self.cpu[name] += time.process_time() - begun
        self.runs[name] += 1
        return json.loads(reply)

    def reset(self) -> None:
        """Forget what was measured, not what was stored."""
        self.cpu.clear()
        self.runs.clear()

    def _builders(self) -> dict[str, Callable[..., Any]]:
        ids = RandomIds()
        relay = Relay(store=self.store, messages=self.messages, events=self.events, ids=ids)
        return {
            "collect": lambda **_files: Collect(
                keys=WriteKeys({"shop": WRITE_KEY}),
                origins=Origins("*"),
                queue=self.events,
                ids=CountedIds(),
                files={},
            ),
            "ingest": lambda: partial(
                ingest, log=self.log, bots=CrawlerList(), intake=compose.intake(), catalogue=self.catalogue
            ),
            "update_customers": lambda: UpdateCustomers(
                log=self.log, store=self.store, catalogue=self.catalogue, programs=self.programs, ids=ids
            ),
            "evaluate_customers": lambda: EvaluateCustomers(
                store=self.store, programs=self.programs, relay=relay, clock=self.clock, ids=ids
            ),
        }

    def _loaded(self, name: str, builder: Callable[..., Any]) -> Callable[[Any, Any], Any]:
        path = ROOT / "functions" / name / "handler.py"
        spec = spec_from_file_location(f"_bench_{id(self)}_{name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no handler of {name}")
        module = module_from_spec(spec)
        with _composed(name, builder), redirect_stdout(self._sink):
            spec.loader.exec_module(module)
        handler: Callable[[Any, Any], Any] = module.handler
        return handler


@contextmanager
def _composed(name: str, builder: Callable[..., Any]) -> Iterator[None]:
    original = getattr(compose, name)
    setattr(compose, name, builder)
    try:
        yield
    finally:
        setattr(compose, name, original)


def sqs_event(bodies: list[str], queue: str) -> dict[str, Any]:
    """A batch of SQS records as Lambda delivers it."""
    return {
        "Records": [
            {
                "messageId": f"{queue}-{index}",
                "receiptHandle": "AQEBbench",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795305600000"},
                "messageAttributes": {},
                "md5OfBody": "0" * 32,
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
                "awsRegion": "us-east-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def notification(key: str) -> str:
    """S3's notification of one new object, as the landed queue carries it."""
    entry = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "bench"}, "object": {"key": key.replace("=", "%3D"), "size": 1}},
    }
    return json.dumps({"Records": [entry]})


def python_version() -> str:
    """For the figures' `how`."""
    return sys.version.split()[0]
