"""What every test starts from: made-up AWS credentials before any client exists, and clouds on request."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Before anything that makes a client or a logger is imported. The values are no secrets: nothing listens to them.
os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # moto does not know the account-based endpoints that botocore would use for a table's stream.
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "POWERTOOLS_SERVICE_NAME": "regulars",
        "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
    }
)
os.environ.pop("AWS_PROFILE", None)

from infra.local import LocalCloud


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A fresh local cloud with the real functions, its clock standing at the default start."""
    with LocalCloud() as fresh:
        yield fresh
