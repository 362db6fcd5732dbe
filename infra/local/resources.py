"""The template's resources made in moto, straight from its resolved properties.

Made: tables, queues, buckets with their notifications, secrets, topics with their subscriptions, e-mail identities and
configuration sets. Roles, policies, alarms, keys and log groups have no effect here and are held to account by
tests/infra. A bucket policy is left out: moto would apply its Deny without looking at the condition.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import boto3

from infra.local.template import REGION, Stack, TemplateError

_WITHOUT_EFFECT: Final = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::S3::BucketPolicy",
        "AWS::SES::ConfigurationSetEventDestination",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }
)


def create(stack: Stack) -> None:
    """Make everything, in an order in which each finds what it names. Raises TemplateError on an unknown type."""
    known = _WITHOUT_EFFECT | set(_MAKERS)
    for logical, resource in stack.resources.items():
        if resource["Type"] not in known:
            raise TemplateError(f"{logical}: the local cloud does not know {resource['Type']}")
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = boto3.client(service, region_name=REGION)
        return clients[service]

    for kind, make in _MAKERS.items():
        for logical, properties in _in_order(stack, kind):
            make(stack, client, logical, properties)


Clients = Callable[[str], Any]


def _in_order(stack: Stack, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Queues that are a dead-letter queue come before those that name one; everything else as in the template."""
    found = list(stack.of_type(kind))
    return sorted(found, key=lambda pair: "RedrivePolicy" in pair[1]) if kind == "AWS::SQS::Queue" else found


def _queue(_stack: Stack, clients: Clients, _logical: str, properties: dict[str, Any]) -> None:
    attributes = {key: value for key, value in properties.items() if key != "QueueName"}
    texts = {
        key: json.dumps(value)
        if isinstance(value, dict)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for key, value in attributes.items()
    }
    clients("sqs").create_queue(QueueName=properties["QueueName"], Attributes=texts)


def _table(stack: Stack, clients: Clients, logical: str, properties: dict[str, Any]) -> None:
    taken = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    answer = clients("dynamodb").create_table(
        TableName=stack.ref(logical),
        StreamSpecification={"StreamEnabled": True, **properties["StreamSpecification"]},
        **{key: properties[key] for key in taken if key in properties},
    )
    stack.learn(logical, "StreamArn", answer["TableDescription"]["LatestStreamArn"])


def _bucket(stack: Stack, clients: Clients, logical: str, properties: dict[str, Any]) -> None:
    name, s3 = stack.ref(logical), clients("s3")
    s3.create_bucket(Bucket=name)
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"])
    queues = properties.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    if queues:
        s3.put_bucket_notification_configuration(
            Bucket=name,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {
                        "QueueArn": given["Queue"],
                        "Events": [given["Event"]],
                        "Filter": {"Key": {"FilterRules": given.get("Filter", {}).get("S3Key", {}).get("Rules", [])}},
                    }
                    for given in queues
                ]
            },
        )


def _secret(stack: Stack, clients: Clients, logical: str, properties: dict[str, Any]) -> None:
    # Made up here, so that two runs are alike; AWS makes up a random one.
    value = f"local-{properties['Name']}-{'0' * 32}"
    answer = clients("secretsmanager").create_secret(Name=properties["Name"], SecretString=value)
    stack.learn(logical, "Ref", answer["ARN"])


def _topic(_stack: Stack, clients: Clients, _logical: str, properties: dict[str, Any]) -> None:
    clients("sns").create_topic(Name=properties["TopicName"])


def _subscription(_stack: Stack, clients: Clients, _logical: str, properties: dict[str, Any]) -> None:
    if properties["Protocol"] != "sqs":
        return  # an e-mail to the operator
    raw = str(properties.get("RawMessageDelivery", False)).lower()
    clients("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol="sqs",
        Endpoint=properties["Endpoint"],
        Attributes={"RawMessageDelivery": raw},
    )


def _identity(_stack: Stack, clients: Clients, _logical: str, properties: dict[str, Any]) -> None:
    clients("sesv2").create_email_identity(EmailIdentity=properties["EmailIdentity"])


def _configuration_set(_stack: Stack, clients: Clients, _logical: str, properties: dict[str, Any]) -> None:
    clients("sesv2").create_configuration_set(ConfigurationSetName=properties["Name"])


_MAKERS: Final[dict[str, Callable[[Stack, Clients, str, dict[str, Any]], None]]] = {
    "AWS::SQS::Queue": _queue,
    "AWS::DynamoDB::Table": _table,
    "AWS::S3::Bucket": _bucket,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SES::EmailIdentity": _identity,
    "AWS::SES::ConfigurationSet": _configuration_set,
}
