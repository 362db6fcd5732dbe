"""The composition root: the only place where use cases meet adapters.

One builder per function, each importing only what that function needs (a cold start pays for every import), each
reading its settings from the environment. A handler calls its builder once per container.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from regulars.runtime.settings import optional, pairs, required

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.application.collect.service import Collect
    from regulars.application.ingest import IngestReport


def ingest() -> Callable[[Sequence[tuple[str, str]]], IngestReport]:
    """Ingest into the bucket BUCKET_NAME: takes (message id, body) pairs."""
    import boto3
    from botocore.config import Config

    from regulars.adapters.aws.lake import S3EventLog
    from regulars.adapters.bots import CrawlerList
    from regulars.application.ingest import ingest as use_case

    client = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 4}, read_timeout=20))
    return partial(use_case, log=S3EventLog(client, required("BUCKET_NAME")), bots=CrawlerList())


def collect(snippet: Path) -> Collect:
    """Collect into the queue EVENTS_QUEUE_URL, for the write keys WRITE_KEYS and pages of ALLOWED_ORIGINS.

    `snippet`: the file served as /r.js.
    """
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.system import RandomIds
    from regulars.application.collect.cors import Origins
    from regulars.application.collect.keys import WriteKeys
    from regulars.application.collect.service import Collect

    return Collect(
        keys=WriteKeys(pairs("WRITE_KEYS")),
        origins=Origins(optional("ALLOWED_ORIGINS", "*")),
        queue=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        ids=RandomIds(),
        snippet=snippet.read_text(encoding="utf-8"),
    )
