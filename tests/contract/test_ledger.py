"""Every send ledger keeps the same promises: the one in memory and the one in DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from regulars.adapters.aws.ledger import DynamoLedger
from regulars.adapters.memory.ledger import MemoryLedger
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.sends import CLAIM_LEASE, ClaimOutcome, SendRecord, SendStatus
from tests.send_samples import CONSENT, NOON, a_send, a_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Ledger = MemoryLedger | DynamoLedger
LATER = NOON + timedelta(seconds=5)
AFTER_LEASE = NOON + CLAIM_LEASE


@pytest.fixture(scope="module")
def cloud() -> Iterator[Any]:
    """A DynamoDB client."""
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def table(cloud: Any) -> Iterator[Any]:
    """A client of a cloud with an empty customer table."""
    cloud.create_table(
        TableName="customers",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield cloud
    cloud.delete_table(TableName="customers")


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """An empty ledger."""
    if request.param == "memory":
        return MemoryLedger()
    return DynamoLedger(request.getfixturevalue("table"), "customers")


def settle(ledger: Ledger, status: SendStatus, *, attempt: str = "one", record: SendRecord | None = None) -> SendRecord:
    """Settle the sample as SES's `ses-1` would have it."""
    provider_id = "ses-1" if status is SendStatus.SENT else None
    return ledger.settle(
        record or a_send(), attempt=attempt, status=status, provider_id=provider_id, reason=None, now=LATER
    )


def test_the_first_claim_is_granted_and_another_attempt_must_wait(ledger: Ledger) -> None:
    first = ledger.claim(a_send(), attempt="one", now=NOON)
    second = ledger.claim(a_send(), attempt="two", now=LATER)
    assert (first.outcome, first.record.status, first.record.claimed_at) == (
        ClaimOutcome.CLAIMED,
        SendStatus.SENDING,
        NOON,
    )
    assert (second.outcome, second.record.attempt) == (ClaimOutcome.IN_FLIGHT, "one")


def test_a_claim_whose_answer_was_lost_is_recognised_by_its_attempt(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    assert ledger.claim(a_send(), attempt="one", now=NOON).outcome is ClaimOutcome.CLAIMED


@pytest.mark.parametrize("status", [SendStatus.SENT, SendStatus.UNKNOWN, SendStatus.WITHHELD])
def test_a_settled_message_is_never_claimed_again(ledger: Ledger, status: SendStatus) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    settled = settle(ledger, status)
    again = ledger.claim(a_send(), attempt="two", now=AFTER_LEASE)
    assert (settled.status, settled.settled_at) == (status, LATER)
    assert (again.outcome, again.record) == (ClaimOutcome.TAKEN, settled)


def test_a_message_that_was_surely_not_accepted_may_be_claimed_again(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    settle(ledger, SendStatus.PENDING)
    assert ledger.claim(a_send(), attempt="two", now=LATER).outcome is ClaimOutcome.CLAIMED


def test_a_claim_whose_attempt_died_becomes_unknown_and_is_not_sent_again(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    early = ledger.claim(a_send(), attempt="two", now=AFTER_LEASE - timedelta(milliseconds=1))
    late = ledger.claim(a_send(), attempt="two", now=AFTER_LEASE)
    assert early.outcome is ClaimOutcome.IN_FLIGHT
    assert (late.outcome, late.record.status, late.record.reason) == (
        ClaimOutcome.ABANDONED,
        SendStatus.UNKNOWN,
        "attempt_lost",
    )
    assert ledger.claim(a_send(), attempt="three", now=AFTER_LEASE).outcome is ClaimOutcome.TAKEN


def test_an_attempt_that_was_given_up_may_still_report_that_it_sent(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    ledger.claim(a_send(), attempt="two", now=AFTER_LEASE)
    assert settle(ledger, SendStatus.PENDING).status is SendStatus.UNKNOWN
    assert settle(ledger, SendStatus.SENT).status is SendStatus.SENT


def test_only_the_attempt_that_holds_the_claim_settles_it(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    assert settle(ledger, SendStatus.SENT, attempt="two").status is SendStatus.SENDING
    assert settle(ledger, SendStatus.SENT, attempt="one").status is SendStatus.SENT
    assert settle(ledger, SendStatus.SENT, attempt="one").provider_id == "ses-1"


def test_what_was_never_claimed_cannot_be_settled(ledger: Ledger) -> None:
    with pytest.raises(PermanentError):
        settle(ledger, SendStatus.SENT)


def test_an_opt_out_since_the_consent_withholds_the_message(ledger: Ledger) -> None:
    record = a_send()
    ledger.opt_out(record.address_node, channel="email", at=CONSENT, source="page")
    claim = ledger.claim(record, attempt="one", now=NOON)
    assert (claim.outcome, claim.record.status, claim.record.reason) == (
        ClaimOutcome.OPTED_OUT,
        SendStatus.WITHHELD,
        "opted_out",
    )
    assert ledger.claim(record, attempt="two", now=NOON).outcome is ClaimOutcome.TAKEN


def test_a_consent_given_after_an_opt_out_counts(ledger: Ledger) -> None:
    record = a_send()
    ledger.opt_out(record.address_node, channel="email", at=CONSENT - timedelta(milliseconds=1), source="page")
    assert ledger.claim(record, attempt="one", now=NOON).outcome is ClaimOutcome.CLAIMED


def test_a_decision_that_relies_on_no_consent_yields_to_any_opt_out(ledger: Ledger) -> None:
    record = a_send(consent_at=None)
    ledger.opt_out(record.address_node, channel="email", at=CONSENT - timedelta(days=900), source="page")
    assert ledger.claim(record, attempt="one", now=NOON).outcome is ClaimOutcome.OPTED_OUT


def test_opt_outs_are_by_address_and_channel(ledger: Ledger) -> None:
    ledger.opt_out(a_send().address_node, channel="sms", at=NOON, source="page")
    ledger.opt_out(a_text().address_node, channel="email", at=NOON, source="page")
    assert ledger.claim(a_send(), attempt="one", now=NOON).outcome is ClaimOutcome.CLAIMED
    assert ledger.claim(a_text(), attempt="one", now=NOON).outcome is ClaimOutcome.CLAIMED


def test_the_latest_opt_out_stays(ledger: Ledger) -> None:
    assert ledger.opted_out_at("e_1", channel="email") is None
    for at in (NOON, LATER, NOON):
        ledger.opt_out("e_1", channel="email", at=at, source="page")
    assert ledger.opted_out_at("e_1", channel="email") == LATER


def test_a_message_that_is_too_late_is_withheld_as_expired(ledger: Ledger) -> None:
    record = a_send()
    late = record.not_after + timedelta(milliseconds=1)
    claim = ledger.claim(record, attempt="one", now=late)
    assert (claim.outcome, claim.record.status, claim.record.reason) == (
        ClaimOutcome.EXPIRED,
        SendStatus.WITHHELD,
        "expired",
    )
    assert ledger.claim(record, attempt="two", now=late + timedelta(hours=1)) == claim
    assert ledger.claim(a_send("on time"), attempt="one", now=record.not_after).outcome is ClaimOutcome.CLAIMED


def test_a_dead_attempt_is_found_even_when_the_message_has_expired(ledger: Ledger) -> None:
    record = a_send(not_after=LATER)
    ledger.claim(record, attempt="one", now=NOON)
    assert ledger.claim(record, attempt="two", now=AFTER_LEASE).outcome is ClaimOutcome.ABANDONED


def test_a_withheld_decision_is_kept_with_its_trace_and_bars_the_key(ledger: Ledger) -> None:
    trace = ({"check": "frequency_cap", "sent": 3, "ok": False},)
    withheld = ledger.withhold(a_send(trace=trace), reason="frequency_cap", now=NOON)
    assert (withheld.status, withheld.reason, withheld.trace) == (SendStatus.WITHHELD, "frequency_cap", trace)
    assert ledger.claim(a_send(), attempt="one", now=LATER).record == withheld


def test_a_message_on_its_way_is_not_withheld_and_one_given_back_is(ledger: Ledger) -> None:
    ledger.claim(a_send(), attempt="one", now=NOON)
    assert ledger.withhold(a_send(), reason="no_consent", now=LATER).status is SendStatus.SENDING
    settle(ledger, SendStatus.PENDING)
    assert ledger.withhold(a_send(), reason="no_consent", now=LATER).status is SendStatus.WITHHELD


@pytest.mark.parametrize("status", [SendStatus.UNKNOWN, SendStatus.PENDING, SendStatus.SENDING])
def test_a_providers_event_proves_that_a_message_went_out(ledger: Ledger, status: SendStatus) -> None:
    record = a_send()
    ledger.claim(record, attempt="one", now=NOON)
    if status is not SendStatus.SENDING:
        settle(ledger, status)
    proven = ledger.resolve(record.address_node, record.send_key, provider_id="ses-9", now=LATER)
    assert proven is not None
    assert (proven.status, proven.provider_id, proven.reason) == (SendStatus.SENT, "ses-9", "confirmed_by_event")
    assert ledger.resolve(record.address_node, record.send_key, provider_id="ses-9", now=AFTER_LEASE) == proven
    assert ledger.claim(record, attempt="two", now=LATER).outcome is ClaimOutcome.TAKEN


def test_there_is_nothing_to_prove_about_what_is_sent_withheld_or_unheard_of(ledger: Ledger) -> None:
    record = a_send()
    assert ledger.resolve(record.address_node, record.send_key, provider_id="ses-9", now=LATER) is None
    ledger.claim(record, attempt="one", now=NOON)
    settle(ledger, SendStatus.SENT)
    assert ledger.resolve(record.address_node, record.send_key, provider_id="ses-9", now=LATER) is None
    other = ledger.withhold(a_send("other"), reason="no_consent", now=NOON)
    assert ledger.resolve(other.address_node, other.send_key, provider_id="ses-9", now=LATER) is None


def test_the_records_of_an_address_come_in_order_of_decision_without_template_variables(ledger: Ledger) -> None:
    second = ledger.withhold(a_send("b", decided_at=LATER), reason="no_consent", now=LATER)
    first = ledger.claim(a_send("a"), attempt="one", now=NOON).record
    ledger.claim(a_text(), attempt="one", now=NOON)
    assert ledger.sends(first.address_node) == [first, second]
    assert first == replace(a_send("a"), status=SendStatus.SENDING, attempt="one", claimed_at=NOON, variables={})


class Unreliable:
    """A DynamoDB client that loses (an error class) or refuses (an error) the first call of some operations."""

    def __init__(self, client: Any, **faults: Exception | type[Exception]) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        fault: Exception | type[Exception] | None = self._faults.pop(operation, None)

        def call(**arguments: Any) -> Any:
            if isinstance(fault, Exception):
                raise fault
            answer = getattr(self._client, operation)(**arguments)
            if fault is not None:
                raise ReadTimeoutError(endpoint_url="https://dynamodb.test")
            return answer

        return call


def a_refusal(code: str, status: int = 400) -> ClientError:
    """An error answer of DynamoDB."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutItem")


@pytest.mark.parametrize("operation", ["put_item", "get_item"])
def test_a_claim_that_stays_unanswered_is_given_back_so_that_the_message_is_not_lost(
    table: Any, operation: str
) -> None:
    unreliable = DynamoLedger(Unreliable(table, **{operation: ReadTimeoutError}), "customers")
    with pytest.raises(TransientError):
        unreliable.claim(a_send(), attempt="one", now=NOON)
    assert DynamoLedger(table, "customers").claim(a_send(), attempt="two", now=LATER).outcome is ClaimOutcome.CLAIMED


class Interleaved:
    """A DynamoDB client that lets somebody else have a turn after the first put, or before the first update."""

    def __init__(self, client: Any, turn: Callable[[], object], *, before_updates: bool = False) -> None:
        self._client, self._turn, self._before = client, [turn], before_updates

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            if operation == "update_item" and self._before and self._turn:
                self._turn.pop()()
            answer = getattr(self._client, operation)(**arguments)
            if operation == "put_item" and not self._before and self._turn:
                self._turn.pop()()
            return answer

        return call


def test_an_opt_out_that_is_confirmed_while_a_claim_is_under_way_is_obeyed(table: Any) -> None:
    sound, record = DynamoLedger(table, "customers"), a_send()

    def opt_out() -> None:
        sound.opt_out(record.address_node, channel="email", at=NOON, source="one_click")

    claim = DynamoLedger(Interleaved(table, opt_out), "customers").claim(record, attempt="one", now=NOON)
    assert claim.outcome is ClaimOutcome.OPTED_OUT
    assert sound.sends(record.address_node) == [claim.record]


@pytest.mark.parametrize("retried", [False, True], ids=["given back", "given back and taken by a third"])
def test_an_attempt_that_ends_unsent_while_it_is_given_up_leaves_the_message_to_come_again(
    table: Any,
    retried: bool,  # noqa: FBT001 - a case of the table
) -> None:
    """Were it called settled, the queue would forget a message that the ledger still waits for."""
    sound = DynamoLedger(table, "customers")
    sound.claim(a_send(), attempt="one", now=NOON)

    def not_accepted() -> None:
        settle(sound, SendStatus.PENDING)
        if retried:
            sound.claim(a_send(), attempt="three", now=AFTER_LEASE)

    late = DynamoLedger(Interleaved(table, not_accepted, before_updates=True), "customers")
    assert late.claim(a_send(), attempt="two", now=AFTER_LEASE).outcome is ClaimOutcome.IN_FLIGHT


def test_an_attempt_that_reports_while_it_is_given_up_has_settled_the_message(table: Any) -> None:
    sound = DynamoLedger(table, "customers")
    sound.claim(a_send(), attempt="one", now=NOON)
    late = DynamoLedger(Interleaved(table, partial(settle, sound, SendStatus.SENT), before_updates=True), "customers")
    claim = late.claim(a_send(), attempt="two", now=AFTER_LEASE)
    assert (claim.outcome, claim.record.status) == (ClaimOutcome.TAKEN, SendStatus.SENT)


def test_where_giving_back_fails_too_the_message_ends_unknown_rather_than_sent_twice(table: Any) -> None:
    busy = a_refusal("ThrottlingException")
    unreliable = DynamoLedger(Unreliable(table, get_item=ReadTimeoutError, update_item=busy), "customers")
    with pytest.raises(TransientError):
        unreliable.claim(a_send(), attempt="one", now=NOON)
    sound = DynamoLedger(table, "customers")
    assert sound.claim(a_send(), attempt="two", now=AFTER_LEASE).outcome is ClaimOutcome.ABANDONED


def test_a_settlement_whose_answer_was_lost_stands(table: Any) -> None:
    sound = DynamoLedger(table, "customers")
    sound.claim(a_send(), attempt="one", now=NOON)
    with pytest.raises(TransientError):
        settle(DynamoLedger(Unreliable(table, update_item=ReadTimeoutError), "customers"), SendStatus.SENT)
    assert settle(sound, SendStatus.SENT).status is SendStatus.SENT


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (a_refusal("ThrottlingException"), TransientError),
        (a_refusal("InternalServerError", 500), TransientError),
        (a_refusal("AccessDeniedException"), PermanentError),
    ],
)
def test_refusals_are_told_apart(table: Any, error: ClientError, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        DynamoLedger(Unreliable(table, put_item=error), "customers").claim(a_send(), attempt="one", now=NOON)
