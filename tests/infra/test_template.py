"""The template keeps the rules that no linter knows: they are what the design promises to the shop that deploys it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from infra.artifacts.plan import ROOT
from infra.local.template import EVERYTHING, Stack, expanded, parsed
from regulars.domain.products import PRODUCT_KEYS

STACK = Stack(parameters=EVERYTHING)
FUNCTIONS = dict(STACK.of_type("AWS::Lambda::Function"))
QUEUES = dict(STACK.of_type("AWS::SQS::Queue"))
MAPPINGS = dict(STACK.of_type("AWS::Lambda::EventSourceMapping"))
ALARMS = dict(STACK.of_type("AWS::CloudWatch::Alarm"))
OPERATORS = {
    "GET /v1/admin/segments": False,
    "GET /v1/admin/segments/{name}": False,
    "PUT /v1/admin/segments/{name}": True,
    "DELETE /v1/admin/segments/{name}": True,
    **{f"POST /v1/admin/segments/{name}": False for name in ("validate", "preview", "explain", "backtest", "report")},
    "POST /v1/admin/scores/report": False,
    "POST /v1/admin/scores/explain": False,
}
"""The routes behind the authorizer, and whether they change anything."""
ROLES = dict(STACK.of_type("AWS::IAM::Role"))
CONSUMED = {name: queue for name, queue in QUEUES.items() if not name.endswith("Dlq")}
ANY_RESOURCE = {
    "xray:PutTraceSegments",  # X-Ray's writes know no resources
    "xray:PutTelemetryRecords",
    "sns:Publish",  # an SMS has no resource; topics are denied beside it
}
"""The reviewed actions that may be allowed on every resource."""


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a role, actions and resources as lists."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            listed = {
                key: statement[key] if isinstance(statement[key], list) else [statement[key]]
                for key in ("Action", "Resource")
            }
            yield {**statement, **listed}


def queue_of(mapping: dict[str, Any]) -> dict[str, Any] | None:
    """The queue that a mapping reads, None for a stream."""
    return next(
        (given for name, given in QUEUES.items() if STACK.get_att(name, "Arn") == mapping["EventSourceArn"]), None
    )


def function_of(mapping: dict[str, Any]) -> dict[str, Any]:
    return next(given for name, given in FUNCTIONS.items() if STACK.ref(name) == mapping["FunctionName"])


def dead_letters(queue: dict[str, Any]) -> str:
    """The name of the queue that takes what fails too often."""
    return str(queue["RedrivePolicy"]["deadLetterTargetArn"]).rpartition(":")[2]


class TestFunctions:
    def test_each_architecture_decision_function_is_there(self) -> None:
        names = {STACK.metadata(logical)["CodeFolder"] for logical in FUNCTIONS}
        assert names == {
            "collect", "receive_orders", "ingest", "update_customers", "evaluate_customers",
            "tick", "refresh", "reconcile", "snapshot", "monitor", "send_messages", "record_feedback", "unsubscribe",
            "fetch_shop", "survey", "admin",
        }  # fmt: skip

    @pytest.mark.parametrize("logical", FUNCTIONS)
    def test_runs_on_arm_with_a_log_group_that_forgets(self, logical: str) -> None:
        given = FUNCTIONS[logical]
        assert given["Architectures"] == ["arm64"]
        assert given["Runtime"] == "python3.14"
        assert given["TracingConfig"] == {"Mode": "Active"}
        groups = {group["LogGroupName"]: group for _, group in STACK.of_type("AWS::Logs::LogGroup")}
        group = groups[given["LoggingConfig"]["LogGroup"]]
        assert group["LogGroupName"] == f"/aws/lambda/{given['FunctionName']}"
        assert int(group["RetentionInDays"]) <= 90

    @pytest.mark.parametrize("logical", FUNCTIONS)
    def test_the_environment_holds_names_and_addresses_but_no_secret(self, logical: str) -> None:
        """A secret's *name* may be there; no value of the environment comes out of a secret or looks like one."""
        written = parsed()["Resources"][logical]["Properties"]["Environment"]["Variables"]
        assert "resolve:secretsmanager" not in str(written)
        secretive = [name for name in written if re.search(r"SECRET|TOKEN|PASSWORD|PRIVATE", name)]
        assert all(name.endswith(("_NAME", "_PREFIX")) for name in secretive)

    def test_each_function_has_a_role_of_its_own(self) -> None:
        roles = [given["Role"] for given in FUNCTIONS.values()]
        assert len(set(roles)) == len(FUNCTIONS) == len(ROLES)


class TestLeastPrivilege:
    @pytest.mark.parametrize("logical", ROLES)
    def test_actions_are_named_and_resources_belong_to_this_stack(self, logical: str) -> None:
        assert "ManagedPolicyArns" not in ROLES[logical]
        for statement in statements(ROLES[logical]):
            assert not any("*" in action for action in statement["Action"])
            if statement["Effect"] == "Deny":
                continue
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            for resource in statement["Resource"]:
                if resource == "*":
                    assert set(statement["Action"]) <= ANY_RESOURCE
                elif ":identity/" in resource:
                    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": "hello@shop.example"}}
                else:
                    assert "regulars" in resource, f"{resource} is not of this stack"

    def test_only_who_needs_it_can_send_a_message_or_read_a_secret(self) -> None:
        able: dict[str, set[str]] = {}
        for logical, role in ROLES.items():
            for statement in statements(role):
                for action in statement["Action"]:
                    if statement["Effect"] == "Allow":
                        able.setdefault(action.partition(":")[0], set()).add(logical)
        assert able["ses"] == able["sns"] == {"SendMessagesRole"}
        assert able["secretsmanager"] == {
            "ReceiveOrdersRole", "SendMessagesRole", "UnsubscribeRole", "FetchShopRole", "SurveyRole",
        }  # fmt: skip

    def test_who_looks_at_products_can_read_no_customer(self) -> None:
        products = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{PRODUCT_KEYS}*"]}}
        for role in ("IngestRole", "SendMessagesRole"):
            reading = [s for s in statements(ROLES[role]) if "dynamodb:BatchGetItem" in s["Action"]]
            assert [s["Condition"] for s in reading] == [products]

    def test_publishing_an_sms_cannot_reach_a_topic(self) -> None:
        denied = [s for s in statements(ROLES["SendMessagesRole"]) if s["Effect"] == "Deny"]
        assert [(s["Action"], s["Resource"]) for s in denied] == [(["sns:Publish"], ["arn:aws:sns:*:*:*"])]


class TestQueues:
    @pytest.mark.parametrize("logical", QUEUES)
    def test_is_encrypted_and_keeps_messages_as_long_as_it_can(self, logical: str) -> None:
        assert QUEUES[logical]["SqsManagedSseEnabled"] is True
        assert QUEUES[logical]["MessageRetentionPeriod"] == 14 * 86_400

    @pytest.mark.parametrize("logical", CONSUMED)
    def test_has_dead_letters_of_its_own_after_five_tries_or_more(self, logical: str) -> None:
        queue = CONSUMED[logical]
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
        assert dead_letters(queue) == f"{queue['QueueName']}-dlq"
        assert dead_letters(queue) in {given["QueueName"] for given in QUEUES.values()}

    @pytest.mark.parametrize("logical", CONSUMED)
    def test_is_read_by_exactly_one_function(self, logical: str) -> None:
        arn = STACK.get_att(logical, "Arn")
        assert [mapping["EventSourceArn"] for mapping in MAPPINGS.values()].count(arn) == 1


class TestEventSources:
    @pytest.mark.parametrize("logical", MAPPINGS)
    def test_reports_failures_item_by_item(self, logical: str) -> None:
        assert MAPPINGS[logical]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    @pytest.mark.parametrize("logical", [name for name, given in MAPPINGS.items() if queue_of(given)])
    def test_a_queue_hides_messages_six_times_as_long_as_its_function_may_run(self, logical: str) -> None:
        mapping = MAPPINGS[logical]
        queue = queue_of(mapping)
        assert queue is not None
        assert queue["VisibilityTimeout"] >= 6 * function_of(mapping)["Timeout"]
        assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 50
        # Above ten a batch, Lambda insists on a window.
        assert mapping["BatchSize"] <= 10 or mapping["MaximumBatchingWindowInSeconds"] >= 1

    def test_a_poison_record_cannot_stop_the_stream(self) -> None:
        (stream,) = [given for given in MAPPINGS.values() if queue_of(given) is None]
        assert stream["BisectBatchOnFunctionError"] is True
        assert 1 <= stream["MaximumRetryAttempts"] <= 20
        assert stream["MaximumRecordAgeInSeconds"] <= 86_400
        assert stream["DestinationConfig"]["OnFailure"]["Destination"] == STACK.get_att("StreamDlq", "Arn")
        assert stream["StartingPosition"] == "TRIM_HORIZON"

    def test_schedules_retry_and_have_dead_letters_on_both_sides(self) -> None:
        rules = dict(STACK.of_type("AWS::Events::Rule"))
        assert sorted(rule["ScheduleExpression"] for rule in rules.values() if "EventPattern" not in rule) == [
            "cron(0 4 * * ? *)",
            "cron(0 5 * * ? *)",
            "cron(15 2 * * ? *)",
            "cron(15 3 * * ? *)",
            "cron(30 4 * * ? *)",
            "rate(1 minute)",
        ]
        for rule in rules.values():
            (target,) = rule["Targets"]
            assert target["RetryPolicy"]["MaximumRetryAttempts"] >= 1
            assert target["DeadLetterConfig"]["Arn"] == STACK.get_att("SchedulesDlq", "Arn")
        called = {rule["Targets"][0]["Arn"] for rule in rules.values()}
        invoked = dict(STACK.of_type("AWS::Lambda::EventInvokeConfig")).values()
        assert {given["DestinationConfig"]["OnFailure"]["Destination"] for given in invoked} == {
            STACK.get_att("SchedulesDlq", "Arn")
        }
        assert len(called) == len(invoked) == 5

    def test_the_end_of_a_deployment_is_told_to_who_follows_changes(self) -> None:
        """And of this stack's only: CloudFormation tells of all stacks of the account."""
        (rule,) = (rule for _, rule in STACK.of_type("AWS::Events::Rule") if "EventPattern" in rule)
        pattern = rule["EventPattern"]
        assert pattern["source"] == ["aws.cloudformation"]
        assert pattern["detail"]["stack-id"] == [STACK.resolve({"Ref": "AWS::StackId"})]
        ends = pattern["detail"]["status-details"]["status"]
        for name in ("deployed", "rolled_back"):
            sample = orjson.loads((ROOT / "events" / "reconcile" / f"{name}.json").read_bytes())
            assert sample["detail"]["status-details"]["status"] in ends
        assert rule["Targets"][0]["Arn"] == STACK.get_att("ReconcileFunction", "Arn")

    def test_senders_from_outside_may_write_to_their_queue_only(self) -> None:
        """S3, SNS and EventBridge are services that anybody can drive: each is held to this account or this topic."""
        for _logical, policy in STACK.of_type("AWS::SQS::QueuePolicy"):
            (statement,) = policy["PolicyDocument"]["Statement"]
            assert statement["Action"] == "sqs:SendMessage"
            assert "aws:SourceA" in str(statement["Condition"])


class TestData:
    def test_the_table_is_kept_encrypted_and_restorable(self) -> None:
        table = STACK.properties("Table")
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        (index,) = table["GlobalSecondaryIndexes"]
        assert (index["IndexName"], index["Projection"]) == ("due", {"ProjectionType": "KEYS_ONLY"})

    def test_the_bucket_is_private_encrypted_versioned_and_forgets_what_was_replaced(self) -> None:
        bucket = STACK.properties("Bucket")
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
        assert encryption["BucketKeyEnabled"] is True
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        noncurrent = [
            rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "NoncurrentVersionExpiration" in rule
        ]
        assert [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] <= 30 for rule in noncurrent] == [True]
        assert "Prefix" not in noncurrent[0]

    def test_the_bucket_refuses_whoever_comes_without_tls(self) -> None:
        (statement,) = STACK.properties("BucketPolicy")["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_what_cannot_be_made_again_outlives_the_stack(self) -> None:
        stateful = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"}
        for logical, resource in STACK.resources.items():
            if resource["Type"] in stateful:
                assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", logical

    def test_topics_are_encrypted_with_a_key_that_their_senders_can_use(self) -> None:
        for _logical, topic in STACK.of_type("AWS::SNS::Topic"):
            assert topic["KmsMasterKeyId"] == STACK.ref("TopicKey")
        senders = [s for s in STACK.properties("TopicKey")["KeyPolicy"]["Statement"] if "Service" in s["Principal"]]
        assert senders[0]["Principal"]["Service"] == ["ses.amazonaws.com", "cloudwatch.amazonaws.com"]

    def test_secrets_are_made_up_by_aws(self) -> None:
        secrets = dict(STACK.of_type("AWS::SecretsManager::Secret"))
        assert len(secrets) == 2, "each costs by the month"
        assert all(secret["GenerateSecretString"]["PasswordLength"] >= 32 for secret in secrets.values())


class TestHttpApi:
    def test_each_route_is_throttled_and_the_access_log_names_nobody(self) -> None:
        ((_logical, stage),) = STACK.of_type("AWS::ApiGatewayV2::Stage")
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
        assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] > 0
        personal = re.compile(r"sourceIp|userAgent|\$context\.path|\$context\.identity|queryString|authorizer")
        assert not personal.search(stage["AccessLogSettings"]["Format"])
        routes = {
            f"{method.upper()} {path}"
            for path, methods in STACK.resources["HttpApi"]["Properties"]["Body"]["paths"].items()
            for method in methods
        }
        assert set(stage["RouteSettings"]) <= routes
        assert routes == {
            "GET /p.gif", "HEAD /p.gif", "GET /r.js", "GET /openapi.json", "POST /v1/{call}", "OPTIONS /v1/{call}",
            "POST /beacon/v1/batch", "OPTIONS /beacon/v1/batch", "GET /i", "OPTIONS /i",
            "POST /com.snowplowanalytics.snowplow/tp2", "OPTIONS /com.snowplowanalytics.snowplow/tp2",
            "GET /v1/projects/{key}/settings", "OPTIONS /v1/projects/{key}/settings",
            "GET /analytics.js/v1/{key}/analytics.min.js", "POST /api/s/{call}", "OPTIONS /api/s/{call}",
            "GET /sourceConfig", "OPTIONS /sourceConfig",
            "GET /sourceConfig/{proxy+}", "OPTIONS /sourceConfig/{proxy+}",
            "POST /webhooks/orders/{source}", "POST /webhooks/events/{source}", "GET /unsubscribe", "POST /unsubscribe",
            "GET /survey", "POST /survey", *OPERATORS,
        }  # fmt: skip

    def test_operators_routes_ask_for_a_token_with_a_scope_and_no_other_route_does(self) -> None:
        asked = {
            f"{method.upper()} {path}": operation["security"]
            for path, methods in STACK.resources["HttpApi"]["Properties"]["Body"]["paths"].items()
            for method, operation in methods.items()
            if "security" in operation
        }
        assert asked == {
            route: [{"Operators": ["regulars/segments.write" if changes else "regulars/segments.read"]}]
            for route, changes in OPERATORS.items()
        }

    def test_nobody_is_an_operator_before_a_deployment_says_so(self) -> None:
        """The default audience is no client's anywhere."""
        declared = parsed()["Parameters"]
        assert declared["AdminAudience"]["Default"] == "nobody"
        assert declared["AdminIssuer"]["Default"].startswith("https://")

    def test_collect_answers_preflights_itself(self) -> None:
        assert "CorsConfiguration" not in STACK.properties("HttpApi")
        assert "x-amazon-apigateway-cors" not in STACK.resources["HttpApi"]["Properties"]["Body"]


class TestMail:
    def test_what_ses_tells_comes_back_raw_through_a_queue_with_dead_letters(self) -> None:
        destination = STACK.properties("FeedbackDestination")["EventDestination"]
        assert {"BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "REJECT"} <= set(destination["MatchingEventTypes"])
        assert destination["SnsDestination"] == {"TopicARN": STACK.ref("FeedbackTopic")}
        subscription = STACK.properties("FeedbackSubscription")
        assert subscription["RawMessageDelivery"] is True
        assert subscription["RedrivePolicy"]["deadLetterTargetArn"] == STACK.get_att("FeedbackDlq", "Arn")

    def test_the_account_stops_itself_writing_to_who_bounced_or_complained(self) -> None:
        given = STACK.properties("ConfigurationSet")
        assert given["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
        assert given["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}


class TestAlarms:
    def metrics(self, alarm: dict[str, Any]) -> list[dict[str, Any]]:
        """Each metric that an alarm looks at, and that is paid for."""
        if "MetricName" in alarm:
            return [alarm]
        return [given["MetricStat"]["Metric"] for given in alarm["Metrics"] if "MetricStat" in given]

    def test_every_dead_letter_queue_is_watched(self) -> None:
        watched = {
            dimension["Value"]
            for alarm in ALARMS.values()
            for metric in self.metrics(alarm)
            if metric["Namespace"] == "AWS/SQS"
            for dimension in metric["Dimensions"]
        }
        assert watched == {queue["QueueName"] for name, queue in QUEUES.items() if name.endswith("Dlq")}

    def test_errors_throttles_lag_bounces_and_complaints_are_watched(self) -> None:
        names = {metric["MetricName"] for alarm in ALARMS.values() for metric in self.metrics(alarm)}
        assert names >= {
            "Errors", "Throttles", "IteratorAge", "ProjectionDrift",
            "Reputation.BounceRate", "Reputation.ComplaintRate",
        }  # fmt: skip

    def test_an_alarm_tells_somebody_and_takes_silence_for_peace(self) -> None:
        for alarm in ALARMS.values():
            assert alarm["AlarmActions"] == [STACK.ref("AlarmTopic")]
            assert alarm["TreatMissingData"] == "notBreaching"

    def test_standing_charges_leave_an_idle_month_far_under_five_dollars(self) -> None:
        """Paid by the month whatever happens: $0.10 an alarm's metric, $0.40 a secret, $1 a key (us-east-1, 2026)."""
        stack = Stack()
        cents = 10 * sum(len(self.metrics(alarm)) for _, alarm in stack.of_type("AWS::CloudWatch::Alarm"))
        cents += 40 * len(dict(stack.of_type("AWS::SecretsManager::Secret")))
        cents += 100 * len(dict(stack.of_type("AWS::KMS::Key")))
        assert cents <= 370


class TestParameters:
    def test_conditions_choose_between_given_and_own_values(self) -> None:
        own = Stack().properties("SendMessagesFunction")["Environment"]["Variables"]["PUBLIC_URL"]
        assert own == "https://local0api.execute-api.us-east-1.amazonaws.com"
        given = Stack(parameters={"PublicUrl": "https://hi.shop.example"})
        assert given.properties("SendMessagesFunction")["Environment"]["Variables"]["PUBLIC_URL"].endswith(
            "hi.shop.example"
        )
        assert "AlarmSubscription" not in STACK.resources
        assert "AlarmSubscription" in Stack(parameters={"AlarmEmail": "ops@shop.example"}).resources
        assert "SenderIdentity" not in Stack(parameters={"CreateSenderIdentity": "no"}).resources

    def test_concurrency_is_reserved_only_where_the_account_has_some(self) -> None:
        reserving = Stack(parameters={"ReserveConcurrency": "yes"})
        assert "ReservedConcurrentExecutions" not in STACK.properties("TickFunction")
        assert reserving.properties("TickFunction")["ReservedConcurrentExecutions"] == 1

    def test_everything_refers_to_something_that_exists(self) -> None:
        """Resolving raises on a name or attribute that nothing has."""
        assert set(STACK.resources) <= set(expanded()["Resources"])
        for logical in STACK.resources:
            STACK.properties(logical)
