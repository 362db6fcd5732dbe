"""A second opinion: another AWS emulator, in another process, deploys the template and carries an order and a hit to a
message. It shares no code with the local cloud, so what both agree on is not of our imagination.

What the emulator cannot do is left out or made up for by API calls: alarms over several metrics, and the routes that
SAM writes into the API's inline OpenAPI body. Its functions run on this machine's Python, outside their own folder.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import intrinsics_multi_constructor

ROOT = Path(__file__).parents[2]
REGION, ACCOUNT, STACK = "us-east-1", "000000000000", "second"
PATIENCE = 50.0
"""Seconds in which everything must have happened."""

PROGRAM = {
    "program.yaml": {"currency": "USD"},
    "segments.yaml": {
        "segments": [
            {
                "name": "bought_and_looked",
                "description": "Has an order and has looked at a product: needs both roads to work",
                "rule": {"all": [{"count": "orders", "at_least": 1}, {"count": "Product Viewed", "at_least": 1}]},
            }
        ]
    },
    "campaigns.yaml": {
        "campaigns": [
            {
                "name": "thanks",
                "description": "At once, as this emulator's clock cannot be moved",
                "channel": "email",
                "template": "welcome",
                "segment": "bought_and_looked",
                "once_per": "customer",
                "not_after": "2d",
            }
        ]
    },
}

pytestmark = pytest.mark.slow


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's short tags."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


class _NoPolicies:
    def load(self) -> dict[str, str]:
        return {}


def expanded_template(program: Path) -> dict[str, Any]:
    """The template after SAM's transform, with each function's code where `Emulator.deploy` puts it."""
    document = yaml.load((ROOT / "infra" / "template.yaml").read_text(), Loader=_Loader)  # noqa: S506 a safe loader's child
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://code/{Path(resource['Properties']['CodeUri']).name}.zip"
    defaults = {name: given["Default"] for name, given in document["Parameters"].items()}
    result: dict[str, Any] = transform(document, defaults | {"AWS::Region": REGION}, _NoPolicies())
    for name, resource in list(result["Resources"].items()):
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            del result["Resources"][name]
        elif resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Runtime"] = f"python{sys.version_info.major}.{sys.version_info.minor}"
            resource["Properties"]["Architectures"] = ["x86_64"]
            folders = {"PROGRAM_PATH": str(program), "CONTRACTS_PATH": str(ROOT / "events" / "contracts")}
            resource["Properties"]["Environment"]["Variables"].update(folders)
    return result


def code_of(function: str) -> bytes:
    """A function's own files, zipped; its libraries come from this environment."""
    buffer = io.BytesIO()
    folder = ROOT / "functions" / function
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def write_program(folder: Path) -> Path:
    """The test's program with the real templates."""
    program = folder / "program"
    shutil.copytree(ROOT / "program" / "templates", program / "templates")
    for name, data in PROGRAM.items():
        (program / name).write_text(yaml.safe_dump(data))
    return program


class Emulator:
    """One process of the emulator, with the stack in it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._program = write_program(folder)
        self.log = (folder / "log").open("w+")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))},
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "LAMBDA_EXECUTOR": "local",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(folder),
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=self.log, stderr=self.log
        )

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.log.close()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/_ministack/health")[0] == 200
        except OSError:
            return False

    def deploy(self) -> str:
        """Make the stack; the API's id."""
        template = expanded_template(self._program)
        s3 = self.client("s3")
        s3.create_bucket(Bucket="code")
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                key = resource["Properties"]["Code"]["S3Key"]
                s3.put_object(Bucket="code", Key=key, Body=code_of(key.removesuffix(".zip")))
        s3.put_object(Bucket="code", Key="template.json", Body=json.dumps(template).encode())
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=f"http://127.0.0.1:{self.port}/code/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        until(lambda: self._stack_status() not in ("CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"), "the stack to be made")
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
        assert self._stack_status() == "CREATE_COMPLETE", failed
        return self._route(template)

    def _stack_status(self) -> str:
        return str(self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    def _route(self, template: dict[str, Any]) -> str:
        """The routes of the inline OpenAPI body, which the emulator does not read."""
        gateway = self.client("apigatewayv2")
        (api,) = gateway.get_apis()["Items"]
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        physical = {given["LogicalResourceId"]: given["PhysicalResourceId"] for given in resources}
        for path, methods in template["Resources"]["HttpApi"]["Properties"]["Body"]["paths"].items():
            for method, operation in methods.items():
                target = re.search(r"\$\{(\w+)\.Arn\}", operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"])
                assert target is not None
                integration = gateway.create_integration(
                    ApiId=api["ApiId"],
                    IntegrationType="AWS_PROXY",
                    PayloadFormatVersion="2.0",
                    IntegrationUri=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{physical[target[1]].rpartition(':')[2]}",
                )
                gateway.create_route(
                    ApiId=api["ApiId"],
                    RouteKey=f"{method.upper()} {path}",
                    Target=f"integrations/{integration['IntegrationId']}",
                )
        return str(api["ApiId"])

    def messages(self) -> list[dict[str, Any]]:
        """What the emulator's SES took."""
        document = json.loads(self.request("GET", "/_ministack/ses/messages")[1])
        return [message for sent in document["messages"].values() for message in sent]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}")
        time.sleep(0.2)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    running = Emulator(tmp_path)
    try:
        until(running.is_ready, "the emulator")
        yield running
    finally:
        running.close()


def order(at: datetime) -> bytes:
    consent = {"email": {"status": "granted", "at": at.isoformat(), "text_version": "v1"}}
    document = {
        "order_id": "1001",
        "version": 1,
        "placed_at": at.isoformat(),
        "status": "paid",
        "currency": "USD",
        "total": "12.50",
        "customer": {"user_id": "ann", "email": "ann@example.com", "first_name": "Ann", "marketing_consent": consent},
        "products": [{"product_id": "p1", "name": "Coffee", "quantity": 1, "price": "12.50"}],
    }
    return json.dumps(document).encode()


def test_an_order_and_a_hit_become_a_message_on_another_emulator(emulator: Emulator) -> None:
    """Neither alone is enough for the one segment of the test's program; the e-mail proves that both were folded."""
    api = f"/_aws/execute-api/{emulator.deploy()}/$default"
    secret = emulator.client("secretsmanager").get_secret_value(SecretId=f"{STACK}/orders/shop")["SecretString"]
    now = datetime.now(UTC)
    body, timestamp = order(now), str(int(now.timestamp()))
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    signed = {
        "Content-Type": "application/json",
        "Regulars-Timestamp": timestamp,
        "Regulars-Signature": f"v1={signature}",
    }
    webhook = f"{api}/webhooks/orders/shop"
    assert emulator.request("POST", webhook, body, {**signed, "Regulars-Signature": "v1=00"})[0] == 401
    assert emulator.request("POST", webhook, body, signed)[0] == 200
    hit = f"{api}/p.gif?writeKey=dev-write-key&type=track&event=Product%20Viewed&userId=ann&messageId=m1"
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    assert emulator.request("GET", hit, None, {"User-Agent": browser})[0] == 200

    until(emulator.messages, "the e-mail")
    (message,) = emulator.messages()
    assert message["To"] == ["ann@example.com"]
