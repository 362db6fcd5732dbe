"""Cold import of the collect handler against the bare AWS SDK, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from infra.bench.figures import Figure

ROOT = Path(__file__).resolve().parents[2]
_PAIRS = 9
_TIMED = "import time; begun = time.process_time(); {statement}; print(time.process_time() - begun)"
BARE = "import boto3; boto3.client('sqs', region_name='us-east-1')"
COLLECT = "import functions.collect.handler"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "EVENTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/events",
    "WRITE_KEYS": "shop=wk_bench",
    "ALLOWED_ORIGINS": "*",
    "POWERTOOLS_SERVICE_NAME": "regulars",
    "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
}


def seconds(statement: str) -> float:
    """CPU seconds that `statement` takes in a fresh interpreter. Byte code is cached, as in a built artifact."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**inherited, **_ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "pycache")}
    command = [sys.executable, "-c", _TIMED.format(statement=statement)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout.strip().splitlines()[-1])


def figures() -> list[Figure]:
    """The ratio, of medians over interleaved pairs."""
    for statement in (BARE, COLLECT):
        seconds(statement)  # fills the cache of byte code
    bare, ours = [], []
    for _ in range(_PAIRS):
        bare.append(seconds(BARE))
        ours.append(seconds(COLLECT))
    return [
        Figure(
            "collect_cold_import_ratio",
            median(ours) / median(bare),
            "ratio",
            f"CPU time of importing the collect handler, its clients made, over that of a bare boto3 SQS client; "
            f"medians of {_PAIRS} interleaved pairs of fresh processes.",
            target=1.25,
            at_least=False,
            parts={
                "collect, milliseconds": round(median(ours) * 1000, 1),
                "bare boto3, milliseconds": round(median(bare) * 1000, 1),
            },
        )
    ]
