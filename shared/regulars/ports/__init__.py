"""What use cases need from the world. Adapters implement these; the contract suite holds both implementations to them.

Every method may raise `TransientError` (try again later); other errors are named. Nothing here retries for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from regulars.domain.definitions import InForce
    from regulars.domain.events import BadRow, Event
    from regulars.domain.orders import OrderBook
    from regulars.domain.products import Listing
    from regulars.domain.profile import Profile
    from regulars.domain.program import Program, ProgramParameters
    from regulars.domain.quality import DayQuality
    from regulars.domain.sends import Claim, EmailMessage, SendRecord, SendStatus, SmsMessage, Subscription
    from regulars.domain.state import CustomerState
    from regulars.domain.statements import ConsentRecord
    from regulars.domain.stored import Applied, Change, Head, Stored
    from regulars.domain.surveys import Invitation


class Clock(Protocol):
    """The current instant, aware UTC, cut to the millisecond."""

    def now(self) -> datetime: ...


class Ids(Protocol):
    """Fresh unique ids (attempts, server-made message ids)."""

    def new(self) -> str: ...


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message body (text) and how many whole seconds (0-900) the queue holds it back."""

    body: str
    delay_seconds: int = 0


class Queue(Protocol):
    """A standard queue: at least once, in no particular order."""

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Returns only when the queue has taken every message; entries that fail are sent again, then
        TransientError."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that its queue gave up. `handle` removes it; `sent_at` is when it was first sent."""

    handle: str
    body: str
    sent_at: datetime


class DeadLetterQueue(Protocol):
    """Where a queue, a stream or a schedule leaves what failed too often."""

    def waiting(self) -> int:
        """About how many there are."""

    def receive(self) -> list[DeadLetter]:
        """A few of them, which then are hidden for some minutes; none when all have been received."""

    def remove(self, letters: Sequence[DeadLetter]) -> None:
        """Delete what has been dealt with; doing it again changes nothing."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A stretch of a table's stream: from the first sequence number to the last, both included."""

    stream: str
    shard: str
    first: str
    last: str


class TableStream(Protocol):
    """The table's stream, by hand: its changes are kept for a day."""

    def changes(self, position: StreamPosition) -> list[Change]:
        """The changes of a stretch. Raises PermanentError when they are kept no longer."""


class EventLog(Protocol):
    """The lake: the log of truth, and the bad rows beside it."""

    def append(self, events: Sequence[Event]) -> list[str]:
        """Write one object per receipt date, its key made from the event ids in it, and return the keys.

        Writing the same events again writes the same keys and changes nothing.
        """

    def append_bad(self, rows: Sequence[BadRow]) -> list[str]:
        """Write one object per receipt date under `bad/`, its key made from the row ids; return the keys."""

    def read(self, key: str) -> list[Event]:
        """The events of one object. Raises PermanentError when there is no such object."""

    def read_bad(self, key: str) -> list[BadRow]:
        """The bad rows of one object. Raises PermanentError when there is no such object."""

    def keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of event objects in order of receipt date, both ends included."""

    def landed(self) -> Iterator[tuple[str, datetime]]:
        """Keys of all event objects in order of receipt date, each with the instant at which it was written. Whatever
        was written before the call is there."""

    def bad_keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of bad-row objects in order of receipt date, both ends included."""


class QualityStore(Protocol):
    """What the monitor keeps of each UTC day of receipt."""

    def qualities(self, first: date, last: date) -> dict[date, DayQuality]:
        """The figures of the days that were measured, both ends included."""

    def keep_quality(self, quality: DayQuality) -> None:
        """Keep a day's figures in place of earlier ones."""


class Spill(Protocol):
    """A place for more than memory holds: lines (bytes without a line feed) put aside by node while the log is read,
    and taken back a group of nodes at a time. Which group a node is in never changes."""

    groups: int

    def add(self, node: str, line: bytes) -> None:
        """Put a line aside."""

    def take(self, group: int) -> dict[str, list[bytes]]:
        """The lines of one group by node, in the order in which they were added; they leave the spill."""


class Part(StrEnum):
    """The parts of a head; reading one costs as much as reading another, so ask for what is needed."""

    PROFILE = "PROFILE"
    ORDERS = "ORDERS"
    STATE = "STATE"


ALL_PARTS = tuple(Part)


class CustomerStore(Protocol):
    """The projection: PROFILE, ORDERS and STATE items by node id.

    Every put carries the version it read (0: there was none) and a fresh `owner`. A put that finds another version
    raises VersionConflictError, unless the item there was written by the same `owner`: then an earlier answer was
    lost and the put has succeeded.
    """

    def heads(self, nodes: Sequence[str], *, parts: Sequence[Part] = ALL_PARTS) -> dict[str, Head]:
        """The wanted parts, strongly consistent; every asked node is in the answer."""

    def put_profile(self, node: str, profile: Profile, *, applied: Applied, expected: int, owner: str) -> None:
        """`applied`: the facts this write folded in, in order, for the evaluation; None: too many for steps."""

    def put_orders(self, node: str, orders: OrderBook, *, applied: Applied, expected: int, owner: str) -> None: ...

    def put_state(self, node: str, state: CustomerState, *, expected: int, owner: str) -> None:
        """Also keeps the due index at `state.next_due` (absent when None)."""

    def append_consents(self, node: str, records: Sequence[ConsentRecord]) -> None:
        """Append to the consent ledger; the same record again changes nothing."""

    def consents(self, node: str) -> list[ConsentRecord]:
        """The ledger of a node in order of instant."""

    def due(self, before: datetime) -> Iterator[tuple[str, datetime]]:
        """Nodes whose `next_due` is at or before `before`, from the (eventually consistent) due index."""

    def scan(self) -> Iterator[tuple[str, Head]]:
        """Every node, for population work. Not a snapshot."""


class Catalogue(Protocol):
    """What the shop's sources say of its products."""

    def products(self, product_ids: Collection[str]) -> Mapping[str, Listing]:
        """The listings of these products, as they were a moment ago; unknown ones are left out."""


class CatalogueStore(Catalogue, Protocol):
    """The catalogue with its writer: one item a product. Puts follow the rules of CustomerStore."""

    def stored(self, product_ids: Collection[str]) -> dict[str, Stored[Listing]]:
        """The listings with their versions, strongly consistent; unknown products are left out."""

    def put(self, product_id: str, listing: Listing, *, expected: int, owner: str) -> None:
        """Replace the listing whose version is `expected` (0: there is none). Raises VersionConflictError."""


class SendLedger(Protocol):
    """One record per send key; the claim is the only way to the right to call a provider (ADR 4)."""

    def claim(self, record: SendRecord, *, attempt: str, now: datetime) -> Claim:
        """Take PENDING (or nothing yet) to SENDING, then make sure that the address has not opted out since
        `record.consent_at`. `attempt` is fresh for every call; a claim whose own answer was lost is recognised by it.

        When TransientError is raised nothing may be sent; the claim is given back if that is still possible.
        """

    def settle(
        self,
        record: SendRecord,
        *,
        attempt: str,
        status: SendStatus,
        provider_id: str | None,
        reason: str | None,
        now: datetime,
    ) -> SendRecord:
        """SENDING by this attempt -> SENT, UNKNOWN, PENDING (may be claimed again) or WITHHELD; UNKNOWN -> SENT too,
        because the attempt knows. Returns the record as it is now: whoever settled it before wins. Raises
        PermanentError when there is no such record."""

    def resolve(self, address_node: str, send_key: str, *, provider_id: str | None, now: datetime) -> SendRecord | None:
        """A provider's event proves that the message went out: anything but WITHHELD -> SENT, reason
        `confirmed_by_event`.

        Returns the record when it is, now or since before, settled by such an event; None when there was nothing to
        settle."""

    def withhold(self, record: SendRecord, *, reason: str, now: datetime) -> SendRecord:
        """Nothing yet or PENDING -> WITHHELD. Any other record of the same key wins. Returns the record as it is
        now."""

    def sends(self, address_node: str) -> list[SendRecord]:
        """All records of one address in order of decision instant, without `variables`."""


class OptOuts(Protocol):
    """Opt-outs by address, effective at once; read by the claim, written by the unsubscribe page only."""

    def opt_out(self, address_node: str, *, channel: str, at: datetime, source: str) -> None:
        """Keep the latest instant. Idempotent."""

    def opted_out_at(self, address_node: str, *, channel: str) -> datetime | None: ...


class Mailer(Protocol):
    def send(self, message: EmailMessage) -> str:
        """Returns the provider's message id. Never retries. Raises TransientError (surely not accepted: throttled),
        PermanentError (rejected for good) or UnknownOutcomeError (may have been accepted)."""


class Texter(Protocol):
    def send(self, message: SmsMessage) -> str:
        """As Mailer.send, for SMS."""


class ProgramStore(Protocol):
    """The program in force: files, definitions as operators put them, parameters as computed by the refresh."""

    def current(self, *, parameters_version: int = 0, definitions_version: int = 0) -> Program:
        """The program in force. It may lag the latest definitions and parameters by a minute, but never has older ones
        than these versions, if those are in force: who is told of a refresh decides by it."""

    def in_force(self) -> InForce:
        """The program as it is at this very moment, and what it is made of."""

    def publish(self, parameters: ProgramParameters) -> bool:
        """Whether these parameters are in force now; a version as high as the one in force, or lower, changes
        nothing."""


class Secrets(Protocol):
    def valid(self, name: str) -> Sequence[str]:
        """The current and, during a rotation, the previous value; empty when there is no such secret."""


class Templates(Protocol):
    def render(self, template: str, channel: str, variables: Mapping[str, object]) -> Mapping[str, str]:
        """`email`: subject, html, text; `sms`: text. Raises TemplateError (unknown template, missing variable, too
        long) or UnsafeContentError (a line break in the subject)."""


class UnsubscribeTokens(Protocol):
    """Signed, opaque texts for unsubscribe links; they hold no personal data and do not expire."""

    def issue(self, subscription: Subscription) -> str:
        """A token for a URL: letters, digits, `-`, `_`, `.` only."""

    def read(self, token: str) -> Subscription:
        """Raises BadInputError `bad_token` unless it was issued here, for this purpose, and is whole."""


class Contacts(Protocol):
    """Contact data in one form each, so that one person's is one text. Nothing is asked of the network."""

    def email(self, text: str) -> tuple[str | None, tuple[str, ...]]:
        """(the address in small letters with its domain in ASCII, `disposable` and `role` where they are true of it);
        None where it is none."""

    def phone(self, text: str, region: str | None) -> str | None:
        """The number in E.164; `region` (ISO 3166-1 alpha-2) is the country of one that does not say its own. None
        where it cannot be one."""

    def address(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Segment's `address` (street, city, postalCode, state, country) as its country writes it, country as ISO
        3166-1 alpha-2. What is not understood stays as it is."""


class Contracts(Protocol):
    def broken(self, event: Event) -> tuple[str, list[str]] | None:
        """None where the event keeps the newest contract of its name, or there is none; else (`name@version`, what is
        wrong): a keyword and a place each, like `type:/properties/price`, at most ten and never a value."""


class ShopApi(Protocol):
    """A shop system's own API, for what its webhooks only name."""

    def get(self, source: str, path: str) -> bytes:
        """The document at a path of a source's shop; empty where there is nothing to tell. Raises PermanentError when
        it refuses or has no such resource."""


class SurveyTokens(Protocol):
    """Signed, opaque texts for survey links; they hold no personal data."""

    def issue(self, invitation: Invitation) -> str:
        """A token for a URL: letters, digits, `-`, `_`, `.` only."""

    def read(self, token: str, *, now: datetime) -> Invitation:
        """Raises BadInputError: `bad_token` unless it was issued here, for this purpose, and is whole; `expired_token`
        from `expires_at` on."""


class BotDetector(Protocol):
    def reason(self, user_agent: str | None) -> str | None:
        """Why this user agent is taken for a machine, or None."""
