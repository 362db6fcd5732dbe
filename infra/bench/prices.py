"""AWS list prices, us-east-1, US dollars, without any free tier.

Written down in November 2026 from the services' public pricing pages as the author knew them, not fetched: check before
quoting. First tier of each.
"""

from __future__ import annotations

from typing import Final

DATED: Final = "2026-11, us-east-1, list prices, no free tier"

HTTP_API_REQUEST: Final = 1.00 / 1e6
"""One request of at most 512 KB."""
LAMBDA_REQUEST: Final = 0.20 / 1e6
LAMBDA_GB_SECOND: Final = 0.0000133334
"""arm64."""
SQS_REQUEST: Final = 0.40 / 1e6
"""One action on a standard queue; each 64 KB of payload counts as one."""
SQS_CHUNK: Final = 64 * 1024
S3_WRITE: Final = 5.00 / 1e6
S3_READ: Final = 0.40 / 1e6
S3_GB_MONTH: Final = 0.023
KMS_REQUEST: Final = 0.03 / 1e4
KMS_KEY_MONTH: Final = 1.00
DYNAMODB_WRITE_UNIT: Final = 0.625 / 1e6
"""On demand: 1 KB of an item written, and the same again for each index entry that changes."""
DYNAMODB_READ_UNIT: Final = 0.125 / 1e6
"""On demand: 4 KB read strongly consistently, 8 KB eventually."""
DYNAMODB_GB_MONTH: Final = 0.25
DYNAMODB_PITR_GB_MONTH: Final = 0.20
LOGS_GB: Final = 0.50
METRIC_MONTH: Final = 0.30
ALARM_METRIC_MONTH: Final = 0.10
SECRET_MONTH: Final = 0.40
XRAY_TRACE: Final = 5.00 / 1e6
"""A trace recorded."""
