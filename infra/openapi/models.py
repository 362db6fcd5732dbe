"""What goes over the wire, as pydantic models, for the description only.

collect reads calls without pydantic, which would cost a cold start more than the whole function; that both say the same
is what the requests that are generated from the description find out (tests/soak/api.py). Orders are read by the model
that is described (`OrderPayload`). A field stands here with exactly what is enforced: what is merely ignored
when it has another type is `Any`, and its description says what it should be.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from regulars.application.collect.segment import MAX_ID_CHARS, MAX_NAME_CHARS
from regulars.domain.events import MAX_MESSAGE_ID_CHARS
from regulars.domain.surveys import MAX_COMMENT

Whole = Annotated[int, Field(ge=-(2**63), le=2**64 - 1)]
Object = dict[str, Any]
Identifier = Annotated[
    Annotated[str, Field(max_length=MAX_ID_CHARS)] | Whole | None,
    Field(
        description="Printable text or a whole number. Values that stand for nobody (null, 0, guest, ...) are none.",
        examples=["c-42"],
    ),
]
SecondId = Annotated[Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)] | Whole, Field(examples=["g-7"])]
Instant = Annotated[
    Any,
    Field(
        description="ISO 8601 (UTC without a zone), or epoch milliseconds or seconds. What cannot be right is replaced "
        "by the time of receipt and flagged in context.clock.",
        examples=["2026-11-22T09:29:58Z", 1795339798000],
    ),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME_CHARS, description="Printable characters.", examples=["Product Viewed"]),
]


class ErrorCode(StrEnum):
    """Stable codes of refusals (docs/error-codes.md)."""

    UNAUTHORIZED = "unauthorized"
    ORIGIN_REFUSED = "origin_refused"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAVAILABLE = "unavailable"
    BAD_BODY = "bad_body"
    BAD_GZIP = "bad_gzip"
    BAD_JSON = "bad_json"
    BAD_SHAPE = "bad_shape"
    TOO_LARGE = "too_large"
    TOO_MANY_EVENTS = "too_many_events"
    BAD_QUERY = "bad_query"
    BAD_PARAMETER = "bad_parameter"
    UNKNOWN_TYPE = "unknown_type"
    NO_IDENTIFIER = "no_identifier"
    BAD_IDENTIFIER = "bad_identifier"
    BAD_MESSAGE_ID = "bad_message_id"
    BAD_EVENT_NAME = "bad_event_name"
    TOO_DEEP = "too_deep"
    TOO_MANY_KEYS = "too_many_keys"
    KEY_TOO_LONG = "key_too_long"
    NUMBER_RANGE = "number_range"
    BAD_AMOUNT = "bad_amount"
    UNKNOWN_CURRENCY = "unknown_currency"
    BAD_INSTANT = "bad_instant"
    BAD_SURVEY = "bad_survey"
    BAD_SCORE = "bad_score"
    BAD_COMMENT = "bad_comment"
    BAD_PROGRAM = "bad_program"
    BAD_RANGE = "bad_range"
    BAD_FIELD = "bad_field"
    TOO_MANY_GROUPS = "too_many_groups"
    NAME_TAKEN = "name_taken"
    UNKNOWN_SEGMENT = "unknown_segment"
    UNKNOWN_CUSTOMER = "unknown_customer"
    UNKNOWN_VERSION = "unknown_version"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"


class Error(BaseModel):
    """A refusal. Codes are stable, texts may change."""

    model_config = ConfigDict(extra="forbid")

    code: ErrorCode
    message: Annotated[str, Field(min_length=1)]
    success: Literal[False]


class GatewayError(BaseModel):
    """A refusal by API Gateway, before any function ran."""

    message: str


class Success(BaseModel):
    """Everything is stored."""

    model_config = ConfigDict(extra="forbid")

    success: Literal[True]


class RejectedMember(BaseModel):
    """One member of a batch that was rejected, and kept as a bad row."""

    model_config = ConfigDict(extra="forbid")

    index: Annotated[int, Field(ge=0)]
    code: ErrorCode


class PartialSuccess(BaseModel):
    """All is stored, some of it as bad rows. Sending it again would not help."""

    model_config = ConfigDict(extra="forbid")

    success: Literal[True]
    accepted: Annotated[int, Field(ge=0)]
    rejected: Annotated[int, Field(ge=1)]
    errors: Annotated[list[RejectedMember], Field(min_length=1)]


class Context(BaseModel):
    """Where an event came from (Segment, "Spec: Common"): page, campaign, library, consent, ip, userAgent, ..."""

    model_config = ConfigDict(extra="allow")

    traits: Object | None = None


class Call(BaseModel):
    """What all calls have in common (Segment, "HTTP Tracking API"). A userId, an anonymousId or traits.email is
    needed. At most 32 KiB, 20 levels, 2,000 keys of at most 255 characters."""

    model_config = ConfigDict(extra="allow")

    userId: Identifier = None  # noqa: N815 - the wire's names
    anonymousId: Identifier = None  # noqa: N815
    messageId: Annotated[  # noqa: N815
        Annotated[str, Field(max_length=MAX_MESSAGE_ID_CHARS)] | Whole | None,
        Field(description="The same id from the same source is the same event, however often it comes."),
    ] = None
    context: Context | None = None
    traits: Object | None = None
    properties: Object | None = None
    timestamp: Instant = None
    originalTimestamp: Instant = None  # noqa: N815
    sentAt: Instant = None  # noqa: N815
    channel: Annotated[Any, Field(description="Text, such as web or server.")] = None
    writeKey: Annotated[Any, Field(description="The write key, where it can stand in no header.")] = None  # noqa: N815


class Track(Call):
    """Something happened: `event` says what."""

    event: Name


class Identify(Call):
    """Who it is, and what is known about them: `traits`."""


class Page(Call):
    """A page was viewed."""

    name: Annotated[str, Field(max_length=MAX_NAME_CHARS)] | None = None
    category: Annotated[Any, Field(description="Text; becomes a property.")] = None


class Screen(Page):
    """A screen of an app was viewed."""


class Group(Call):
    """Somebody belongs to a group, whose traits are in `traits`."""

    groupId: SecondId  # noqa: N815


class Alias(Call):
    """`userId` was known as `previousId` before."""

    previousId: SecondId  # noqa: N815


class TrackMember(Track):
    """A track call in a batch."""

    type: Literal["track"]


class IdentifyMember(Identify):
    """An identify call in a batch."""

    type: Literal["identify"]


class PageMember(Page):
    """A page call in a batch."""

    type: Literal["page"]


class ScreenMember(Screen):
    """A screen call in a batch."""

    type: Literal["screen"]


class GroupMember(Group):
    """A group call in a batch."""

    type: Literal["group"]


class AliasMember(Alias):
    """An alias call in a batch."""

    type: Literal["alias"]


Member = Annotated[
    TrackMember | IdentifyMember | PageMember | ScreenMember | GroupMember | AliasMember, Field(discriminator="type")
]


class Batch(BaseModel):
    """Calls in one request, at most 10,000 and 4.25 MiB. `context` fills what a member's leaves out; `sentAt` counts
    before a member's own. A bad member costs only itself."""

    model_config = ConfigDict(extra="allow")

    batch: list[Member]
    context: Object | None = None
    sentAt: Instant = None  # noqa: N815
    writeKey: Annotated[Any, Field(description="The write key, where it can stand in no header.")] = None  # noqa: N815


class SnowplowPayload(BaseModel):
    """One event in Snowplow's tracker protocol. All parameters are text; self-describing JSON is text, too, or
    base64url of it (`ue_px`, `cx`). Who it is: `uid` or `duid`. Unknown parameters are ignored."""

    model_config = ConfigDict(extra="allow")

    e: Annotated[Literal["pv", "pp", "se", "ue", "tr", "ti"], Field(description="What happened.")]
    aid: Annotated[Any, Field(description="The write key; that of the first payload counts for all.")] = None
    eid: Annotated[Any, Field(description="The message's id.")] = None
    uid: Annotated[Any, Field(description="The user's id.")] = None
    duid: Annotated[Any, Field(description="The browser's id.")] = None


class SnowplowBatch(BaseModel):
    """Snowplow's payload_data: at most 10,000 payloads and 4.25 MiB. A bad payload costs only itself."""

    model_config = ConfigDict(extra="allow")

    data: list[SnowplowPayload]


class _Answer(BaseModel):
    """What all answers have in common. A userId, an anonymousId or an email is needed."""

    model_config = ConfigDict(extra="allow")

    survey: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$", examples=["post_purchase"])]
    comment: Annotated[str, Field(max_length=MAX_COMMENT)] | None = None
    userId: Identifier = None  # noqa: N815
    anonymousId: Identifier = None  # noqa: N815
    email: Annotated[str | None, Field(examples=["ada@example.com"])] = None
    messageId: Annotated[  # noqa: N815
        Annotated[str, Field(max_length=MAX_MESSAGE_ID_CHARS)] | Whole | None,
        Field(description="The same id from the same source is the same answer, however often it comes."),
    ] = None
    context: Context | None = None
    timestamp: Instant = None
    sentAt: Instant = None  # noqa: N815
    writeKey: Annotated[Any, Field(description="The write key, where it can stand in no header.")] = None  # noqa: N815


class NpsAnswer(_Answer):
    """How likely somebody is to recommend the shop."""

    kind: Literal["nps"]
    score: Annotated[int, Field(ge=0, le=10)]


class CsatAnswer(_Answer):
    """How satisfied somebody is."""

    kind: Literal["csat"]
    score: Annotated[int, Field(ge=1, le=5)]


class CesAnswer(_Answer):
    """How much somebody agrees that the shop made it easy."""

    kind: Literal["ces"]
    score: Annotated[int, Field(ge=1, le=7)]


class Survey(RootModel[Annotated[NpsAnswer | CsatAnswer | CesAnswer, Field(discriminator="kind")]]):
    """An answer to a survey that the page or app asked itself. Digits stand for a score, too."""


CALLS: dict[str, type[BaseModel]] = {
    "track": Track,
    "identify": Identify,
    "page": Page,
    "screen": Screen,
    "group": Group,
    "alias": Alias,
    "batch": Batch,
    "survey": Survey,
}
"""Call to its body, as in /v1/{call}."""
