"""What the functions do is what their roles allow: nothing they use is forbidden, and little goes unused."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson
import pytest

from infra.local import LocalCloud
from tests.credentials import survey_token
from tests.infra.test_template import FUNCTIONS, ROLES, STACK, statements
from tests.shop_server import ACCOUNT, FakeBigCommerce
from tests.traffic import place_order, post_batch
from tests.webhooks import BIGCOMMERCE_ORDER, BIGCOMMERCE_THIN, SECRET

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from infra.local.aws_calls import AwsCall, Proceed

ACTIONS = {
    "sqs.SendMessageBatch": "sqs:SendMessage",
    "s3.ListObjectsV2": "s3:ListBucket",
    "s3.HeadObject": "s3:GetObject",
    "secrets-manager.GetSecretValue": "secretsmanager:GetSecretValue",
    "sesv2.SendEmail": "ses:SendRawEmail",  # for raw content
}
"""Operations whose permission has another name."""
NOT_FROM_CODE = {
    "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "dynamodb:DescribeStream",
    "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams", "ses:SendEmail",
}  # fmt: skip
"""What Lambda itself does under a function's role (its pollers, its logs), and SES's second permission for one call."""
SELDOM = {
    ("EvaluateCustomersRole", "s3:ListBucket"),  # tells a missing object from a forbidden one
    ("UpdateCustomersRole", "s3:ListBucket"),
    ("RefreshRole", "s3:ListBucket"),
    ("RefreshRole", "s3:PutObject"),  # percentiles need more customers than one
    ("RefreshRole", "sqs:SendMessage"),
    ("ReconcileRole", "dynamodb:PutItem"),  # only where something is wrong
    ("ReconcileRole", "sqs:SendMessage"),
    ("MonitorRole", "sqs:SendMessage"),  # Lambda's, where a night fails
    ("SnapshotRole", "s3:ListBucket"),
    ("SnapshotRole", "sqs:SendMessage"),
}

Use = tuple[str, str, str]


def resource_of(call: AwsCall) -> str:
    """The ARN that a call is about, as IAM sees it."""
    request: AWSPreparedRequest = call.request
    if call.service == "s3":
        return "arn:aws:s3:::" + _bucket_and_key(request.url)
    body = orjson.loads(request.body) if request.body and request.body[:1] in (b"{", "{") else {}
    match call.service:
        case "sqs":
            return "arn:aws:sqs:us-east-1:123456789012:" + str(body["QueueUrl"]).rpartition("/")[2]
        case "dynamodb":
            table = str(body.get("TableName") or next(iter(body["RequestItems"])))
            index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
            return f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}{index}"
        case "secrets-manager":
            return f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{body['SecretId']}-AbCdEf"
        case "sesv2":
            return "arn:aws:ses:us-east-1:123456789012:identity/hello@shop.example"
    return "*"


def _bucket_and_key(url: str) -> str:
    address = urlsplit(url)
    bucket = address.netloc.partition(".s3")[0]
    return f"{bucket}{unquote(address.path)}" if address.path != "/" else bucket


def allows(role: dict[str, Any], action: str, resource: str) -> bool:
    return any(
        action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in statements(role)
        if statement["Effect"] == "Allow"
    )


@pytest.fixture(scope="module")
def used() -> set[Use]:
    """(role, action, resource) of a busy month: visits, an order, a cart left behind, a lost customer, an opt-out."""
    roles = {STACK.metadata(logical)["CodeFolder"]: given["Role"] for logical, given in FUNCTIONS.items()}
    found: set[Use] = set()

    def note(call: AwsCall, proceed: Proceed) -> Any:
        if call.function:
            operation = f"{call.service}.{call.operation}"
            action = ACTIONS.get(operation, f"{call.service}:{call.operation}")
            found.add((roles[call.function].rpartition("-")[2], action, resource_of(call)))
        return proceed()

    with FakeBigCommerce() as shop, LocalCloud(parameters={"BigCommerceUrl": shop.url}) as cloud:
        cloud.calls.interceptor = note
        shop.has_order(BIGCOMMERCE_ORDER)
        _hear_of_an_order(cloud)
        _busy_month(cloud)
        assert len(cloud.mail) >= 2
        assert not cloud.functions.failures
    return found


def _hear_of_an_order(cloud: LocalCloud) -> None:
    """A shop system says that there is one; what it is must be fetched."""
    for name, value in (("orders/bigcommerce", SECRET), ("shops/bigcommerce", ACCOUNT)):
        cloud.make_secret(name, value)
    body = orjson.dumps(BIGCOMMERCE_THIN)
    path = "/webhooks/orders/bigcommerce"
    assert cloud.request("POST", path, {"Regulars-Secret": SECRET}, body).status == 200
    cloud.advance(by=timedelta(minutes=1))


def _busy_month(cloud: LocalCloud) -> None:
    person = {"userId": "ann", "anonymousId": "browser-1"}
    traits = {"email": "ann@example.com", "phone": "+15555550100"}
    consents = {"consent": {"categoryPreferences": {"email_marketing": True, "sms_marketing": True}}}
    post_batch(
        cloud,
        [
            {
                "type": "identify",
                **person,
                "traits": traits,
                "context": consents,
            },
            {"type": "track", **person, "event": "Product Added", "properties": {"product_id": "p1", "price": 5}},
            {"type": "track", "event": "nobody's"},
        ],
    )
    cloud.advance(by=timedelta(hours=6))
    place_order(
        cloud,
        {
            "order_id": "o1",
            "version": 1,
            "placed_at": cloud.now.isoformat(),
            "status": "paid",
            "currency": "USD",
            "total": "9.50",
            "customer": {"user_id": "ann", "email": "ann@example.com"},
        },
    )
    cloud.settle()
    _answer_mail(cloud)
    _operate(cloud)
    monthly = dict.fromkeys(("refresh", "reconcile", "monitor", "snapshot"), timedelta(days=30))
    cloud.advance(by=timedelta(days=200), stride=timedelta(days=1), rarer=monthly)


def _operate(cloud: LocalCloud) -> None:
    """An operator puts a segment, tries it out and takes it out again."""
    token = {"authorization": f"Bearer {cloud.operator_token()}"}
    definition = {"rule": {"count": "orders", "at_least": 1}}
    for method, path, body in (
        ("PUT", "/buyer", definition),
        ("POST", "/preview", {"definition": {"name": "buyer", **definition}}),
        ("POST", "/explain", {"customer": "user:ann", "segment": "buyer"}),
        ("POST", "/backtest", {"segment": "buyer", "from": "2026-11-01", "to": "2026-12-01"}),
        ("POST", "/report", {"days": 3}),
    ):
        assert cloud.request(method, f"/v1/admin/segments{path}", token, body).status == 200
    assert cloud.request("DELETE", "/v1/admin/segments/buyer", {**token, "if-match": '"1"'}).status == 200


def _answer_mail(cloud: LocalCloud) -> None:
    """The provider reports, and the reader unsubscribes."""
    mail = cloud.mail[0]
    report = {
        "eventType": "Delivery",
        "mail": {
            "messageId": mail.message_id,
            "timestamp": cloud.now.isoformat(),
            "destination": ["ann@example.com"],
            "headers": [{"name": name, "value": value} for name, value in mail.headers.items()],
            "tags": {},
        },
        "delivery": {"timestamp": cloud.now.isoformat(), "recipients": ["ann@example.com"]},
    }
    cloud.client("sns").publish(TopicArn=cloud.stack.ref("FeedbackTopic"), Message=orjson.dumps(report).decode())
    token = mail.headers["List-Unsubscribe"].strip("<>").partition("t=")[2]
    assert cloud.request("POST", f"/unsubscribe?t={token}", {}, b"List-Unsubscribe=One-Click").status == 200
    assert cloud.request("POST", f"/survey?t={survey_token(cloud)}", {}, b"score=9").status == 200
    cloud.settle()


def test_nothing_is_done_that_the_role_does_not_allow(used: set[Use]) -> None:
    assert len({role for role, _action, _resource in used}) == len(ROLES), "every function took part"
    refused = sorted(use for use in used if not allows(ROLES[use[0]], use[1], use[2]))
    assert refused == []


def test_little_is_allowed_that_is_never_done(used: set[Use]) -> None:
    done = {(role, action) for role, action, _resource in used}
    allowed = {
        (logical, action)
        for logical, role in ROLES.items()
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert {(role, action) for role, action in allowed - done if action not in NOT_FROM_CODE} <= SELDOM
