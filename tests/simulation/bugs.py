"""The checker's own test: bugs that systems of this kind really had, put into ours one at a time.

Each is a context in which the system has the bug. A checker that does not notice one would not notice its like either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from botocore.config import Config
from botocore.exceptions import ClientError

from regulars.adapters import items
from regulars.adapters.aws import ledger, program, ses
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.ledger import DynamoLedger
from regulars.adapters.aws.queue import SqsQueue
from regulars.application import changes, evaluate_customers, rebuild, refresh, send_messages
from regulars.application.outbox import Relay
from regulars.application.send_messages import SendMessages
from regulars.domain import links, profile
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.links import Links
from regulars.domain.orders import OrderBook
from regulars.domain.parameters import parameters_to_doc
from regulars.domain.profile import Profile
from regulars.domain.sends import CLAIM_LEASE, SendStatus
from regulars.runtime import batch

Bug = Callable[[], AbstractContextManager[Any]]


@contextmanager
def marked_before_effect() -> Iterator[None]:
    """A message is written down as sent, and then sent."""
    sent = SendMessages._sent

    def early(use_case: SendMessages, record: Any, composed: Any, attempt: str, report: Any) -> Any:
        use_case.ledger.settle(
            record, attempt=attempt, status=SendStatus.SENT, provider_id="", reason=None, now=use_case.clock.now()
        )
        return sent(use_case, record, composed, attempt, report)

    with mock.patch.object(SendMessages, "_sent", early):
        yield


@contextmanager
def own_object_not_recognised() -> Iterator[None]:
    """The answer to a write of the lake is lost, it is tried again, and what is there is taken for another's."""
    put = S3EventLog._put

    def strict(log: S3EventLog, key: str, body: bytes, content_type: str) -> str:
        try:
            log._client.head_object(Bucket=log._bucket, Key=key)
        except ClientError:
            return put(log, key, body, content_type)
        raise PermanentError("somebody else wrote this object")

    with mock.patch.object(S3EventLog, "_put", strict):
        yield


@contextmanager
def sdk_retries_on_ses() -> Iterator[None]:
    """The SDK's own retries round a call that knows no idempotency token."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    with mock.patch.object(ses, "once_only", return_value=config):
        yield


@contextmanager
def outbox_cleared_before_relay() -> Iterator[None]:
    """The cursor moves when entries are fetched, not when they were handed over."""
    send, clear = Relay._send, Relay._clear

    def call(relay: Relay, outboxes: Any) -> tuple[int, set[str]]:
        for _id, node in outboxes:
            head = relay._store.heads([node])[node]
            entries = list(head.state.value.outbox) if head.state else []
            clear(relay, node, head)
            send(relay, entries)
        return 0, set()

    with mock.patch.object(Relay, "__call__", call):
        yield


@contextmanager
def partial_failures_ignored() -> Iterator[None]:
    """What SQS says it did not take is taken for sent."""
    failed = SqsQueue._failed

    def deaf(queue: SqsQueue, entries: Any) -> set[str]:
        kept = failed(queue, entries)
        return kept if len(kept) == len(entries) > 1 else set()

    with mock.patch.object(SqsQueue, "_failed", deaf):
        yield


@contextmanager
def failed_records_deleted() -> Iterator[None]:
    """A consumer reports success, whatever happened to the records."""
    original = batch.batch_reply
    with mock.patch.object(batch, "batch_reply", return_value=original(())):
        yield


@contextmanager
def no_fencing() -> Iterator[None]:
    """A claim is taken over as soon as somebody else looks at it."""
    with mock.patch.object(ledger, "_IS_FREE", "(attribute_not_exists(pk) OR #status IN (:pending, :sending))"):
        put = DynamoLedger._put

        def with_values(self: DynamoLedger, record: Any, condition: str, **values: str) -> None:
            put(self, record, condition, **{"sending": "SENDING", **values})

        with mock.patch.object(DynamoLedger, "_put", with_values):
            yield


@contextmanager
def last_arrived_cart_wins() -> Iterator[None]:
    """A fold that depends on the order in which events arrive."""
    merge = profile.carts_merged

    def arrived(one: Any, other: Any) -> Any:
        merged = merge(one, other)
        return replace(merged, lines={**one.lines, **other.lines})

    with mock.patch.object(profile, "carts_merged", arrived):
        yield


@contextmanager
def last_delivered_order_wins() -> Iterator[None]:
    """The version of an order that comes last is taken for the newest."""

    def with_entries(book: OrderBook, entries: Any) -> tuple[OrderBook, frozenset[str]]:
        changed = dict(book.entries) | dict(entries)
        return (book if changed == book.entries else OrderBook(changed)), frozenset()

    with mock.patch.object(OrderBook, "with_entries", with_entries):
        yield


@contextmanager
def outbox_not_stored() -> Iterator[None]:
    """What was decided leaves after the state's write, from memory: a crash between the two forgets it."""
    put_state = DynamoCustomerStore.put_state

    def put(store: DynamoCustomerStore, node: str, state: Any, *, expected: int, owner: str) -> None:
        put_state(store, node, replace(state, outbox=[], relay_by=None), expected=expected, owner=owner)
        forgotten.append(state.outbox)

    forgotten: list[Any] = []
    evaluate = evaluate_customers.EvaluateCustomers._evaluate_once

    def evaluate_once(self: Any, root: str, *values: Any) -> int:
        forgotten.clear()
        written = evaluate(self, root, *values)
        entries = [entry for outbox in forgotten for entry in outbox]
        forgotten.clear()
        self._relay._send(entries)
        return written

    with (
        mock.patch.object(DynamoCustomerStore, "put_state", put),
        mock.patch.object(evaluate_customers.EvaluateCustomers, "_evaluate_once", evaluate_once),
    ):
        yield


@contextmanager
def deduplication_window_too_short() -> Iterator[None]:
    """Only the last event's id is remembered."""
    seen_ids = Profile.seen_ids

    def forgetful(self: Profile) -> set[str]:
        newest = self.seen[max(self.seen)][-profile.ID_LENGTH :] if self.seen else ""
        return seen_ids(self) & {newest}

    with mock.patch.object(Profile, "seen_ids", forgetful):
        yield


@contextmanager
def no_optimistic_lock() -> Iterator[None]:
    """A profile is written over whatever came in between."""

    def put(
        store: DynamoCustomerStore, node: str, kind: str, doc: str, *, expected: int, owner: str, extra: Any
    ) -> None:
        item = {"pk": {"S": node}, "sk": {"S": kind}, "doc": {"S": doc}, "owner": {"S": owner}}
        store._client.put_item(TableName=store._table, Item={**item, "version": {"N": str(expected + 1)}, **extra})

    with mock.patch.object(DynamoCustomerStore, "_put", put):
        yield


@contextmanager
def answered_before_stored() -> Iterator[None]:
    """A request is acknowledged although the queue did not take its events."""
    send = SqsQueue.send

    def hopeful(queue: SqsQueue, messages: Any) -> None:
        try:
            send(queue, messages)
        except TransientError:
            if not any('"send"' in message.body for message in messages):
                return
            raise

    with mock.patch.object(SqsQueue, "send", hopeful):
        yield


@contextmanager
def opt_out_not_looked_at() -> Iterator[None]:
    """The consent of the decision is trusted at the time of sending."""
    with mock.patch.object(DynamoLedger, "opted_out_at", return_value=None):
        yield


@contextmanager
def unknown_is_sent_again() -> Iterator[None]:
    """A timeout of the carrier is taken for a refusal."""
    with (
        mock.patch.object(send_messages, "UnknownOutcomeError", ZeroDivisionError),
        mock.patch.object(ses, "outcome_of", return_value=TransientError("try again")),
    ):
        yield


@contextmanager
def dead_attempts_never_given_up() -> Iterator[None]:
    """A claim whose holder died stays claimed."""
    with mock.patch.object(ledger, "CLAIM_LEASE", CLAIM_LEASE * 10_000):
        yield


@contextmanager
def due_index_forgotten() -> Iterator[None]:
    """A state is written without what the due index looks at."""
    with mock.patch.object(items, "due_shard", return_value="nowhere"):
        yield


@contextmanager
def refresh_forgets_whom_it_touches() -> Iterator[None]:
    """New thresholds are in force; who died before it brought up those whom they touch leaves no word of it."""
    make = parameters_to_doc

    def forgetful(parameters: Any) -> dict[str, Any]:
        return make(replace(parameters, announced=parameters.program))

    with mock.patch.object(program, "parameters_to_doc", forgetful):
        yield


@contextmanager
def profiles_are_never_filled() -> Iterator[None]:
    """New rules look at what profiles do not keep, and nobody fills them."""
    with (
        mock.patch.object(rebuild.Rebuild, "is_wanted", return_value=False),
        mock.patch.object(changes.FollowChanges, "_filled", return_value=0),
    ):
        yield


@contextmanager
def changes_are_not_told() -> Iterator[None]:
    """A definition is in force, and whoever does nothing hears nothing of it before a night."""
    with mock.patch.object(changes, "look_through", return_value=refresh.RefreshReport(0, 0, 0)):
        yield


@contextmanager
def who_loses_a_link_is_forgotten() -> Iterator[None]:
    """A browser turns out to be shared, and only those are evaluated whose own items changed."""
    with mock.patch.object(evaluate_customers, "let_go", return_value={}):
        yield


@contextmanager
def first_user_keeps_the_browser() -> Iterator[None]:
    """A limit that goes by who came first, not by the whole set."""

    def first(limit: Any, others: list[str], known: Any) -> set[str]:
        return set(sorted(others, key=known.__getitem__)[: limit.at_most])

    with mock.patch.object(links, "_allowed", first):
        yield


@contextmanager
def split_undone_by_the_next_event() -> Iterator[None]:
    """A cut removes the evidence there is, and the next event that names both brings it back."""

    def forgotten(known: Any, cuts: Any, _at: Any) -> Any:
        return Links({node: link for node, link in known.known.items() if not cuts.get(node)}, {})

    with mock.patch.object(profile, "with_cuts", forgotten):
        yield


BUGS: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        marked_before_effect,
        own_object_not_recognised,
        sdk_retries_on_ses,
        outbox_cleared_before_relay,
        partial_failures_ignored,
        failed_records_deleted,
        no_fencing,
        last_arrived_cart_wins,
        last_delivered_order_wins,
        outbox_not_stored,
        deduplication_window_too_short,
        no_optimistic_lock,
        answered_before_stored,
        opt_out_not_looked_at,
        unknown_is_sent_again,
        dead_attempts_never_given_up,
        due_index_forgotten,
        refresh_forgets_whom_it_touches,
        profiles_are_never_filled,
        changes_are_not_told,
        who_loses_a_link_is_forgotten,
        first_user_keeps_the_browser,
        split_undone_by_the_next_event,
    )
}
