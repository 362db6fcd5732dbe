"""The S3 client. By itself: some functions that read a program from S3 carry no Parquet, which the lake needs."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config


def s3_client() -> Any:
    """An S3 client that tries a few times; then the queue, or the operator, brings the work again."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 4}, read_timeout=20)
    return botocore.session.get_session().create_client("s3", config=config)
