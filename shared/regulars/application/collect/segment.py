"""Segment's calls to canonical events (Segment, "HTTP Tracking API" and "Spec: Common").

Every protocol ends here: a normaliser brings its own form into a Segment call, so the same event gives the same
canonical event by whichever door it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.application.payload_hash import payload_hash
from regulars.domain.ecommerce import GA4_EVENTS, from_ga4
from regulars.domain.errors import BadInputError
from regulars.domain.event_nodes import external_nodes
from regulars.domain.events import (
    ALIAS,
    CONSENT_UPDATED,
    GROUP,
    IDENTIFY,
    MAX_MESSAGE_ID_CHARS,
    ORDER,
    PAGE,
    PRODUCT,
    SCREEN,
    SYSTEM,
    TRACK,
    Event,
    EventType,
    event_id_of,
)
from regulars.domain.identity import is_blocked
from regulars.domain.instants import to_millis
from regulars.domain.privacy import masked, truncated_ip
from regulars.domain.times import event_times

if TYPE_CHECKING:
    from regulars.application.collect.receipt import Receipt
    from regulars.domain.times import Times
    from regulars.ports import Ids

CALLS = {kind.value: kind for kind in EventType if kind not in {ORDER, PRODUCT, SYSTEM}}
"""The calls that a client can make; orders and products come from signed sources only, system events from Regulars
itself."""

_VIEWS = frozenset({PAGE, SCREEN})
_ON_A_PAGE = frozenset({TRACK, PAGE})

MAX_ID_CHARS = 255
MAX_NAME_CHARS = 255


def event_of(item: dict[str, Any], call: EventType, receipt: Receipt, ids: Ids, sent_at: object = None) -> Event:
    """The canonical event of one call whose limits were checked (`shape.checked`).

    `sent_at`: the batch's, which counts before the item's own. A message without `messageId` gets a fresh one. Raises
    BadInputError with the codes of docs/error-codes.md, "collect".
    """
    message_id = _message_id(item.get("messageId")) or ids.new()
    user_id = _identifier(item.get("userId"), "userId")
    anonymous_id = _identifier(item.get("anonymousId"), "anonymousId")
    context = dict(_object(item.get("context"), "context"))
    traits, properties = _traits_and_properties(item, call, context)
    if user_id is None and anonymous_id is None and not _names_somebody(traits, context):
        raise BadInputError("no_identifier", "an event needs a userId or an anonymousId that stands for somebody")
    original = item.get("timestamp")
    times = event_times(
        item.get("originalTimestamp") if original is None else original,
        item.get("sentAt") if sent_at is None else sent_at,
        receipt.received_at,
    )
    _complete(context, item, call, receipt, times)
    name = _name(item, call)
    if call is TRACK and name in GA4_EVENTS:
        context["originalEvent"] = name
        name, properties = from_ga4(name, properties)
    happened = None if times.original is None else to_millis(times.original)
    return Event(  # as far as possible in order of declaration: by name costs twice as much, for every event
        event_id_of(receipt.source, message_id),
        receipt.source,
        message_id,
        call,
        times.timestamp,
        receipt.received_at,
        name,
        user_id,
        anonymous_id,
        times.original,
        times.sent_at,
        # Not over the context: a retry may come over another network.
        payload_hash=payload_hash([call, name, user_id, anonymous_id, happened, properties, traits]),
        context=context,
        properties=properties,
        traits=traits,
    )


def refusal(event: Event, receipt: Receipt) -> str | None:
    """Why a good event must not be stored: `Gpc` (the browser says no) or `Consent` (the event says no); else None.

    A statement of consent is always kept, most of all a refusal: `Consent Updated`, or an identify that names a
    marketing category. `analytics: true` among the event's consents is the shopper's own answer and outweighs the
    browser's setting.
    """
    if not receipt.opted_out and "consent" not in event.context:
        return None
    categories = _categories(event.context)
    analytics = categories.get("analytics")
    if analytics is True or not (receipt.opted_out or analytics is False):
        return None
    if event.name == CONSENT_UPDATED:
        return None
    if event.type is IDENTIFY and ("email_marketing" in categories or "sms_marketing" in categories):
        return None
    return "Consent" if analytics is False else "Gpc"


def _categories(context: dict[str, Any]) -> dict[str, Any]:
    consent = context.get("consent")
    categories = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    return categories if isinstance(categories, dict) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not is_blocked(value)


def _object(value: object, path: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInputError("bad_shape", f"{path} must be an object")
    return value


def _message_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_MESSAGE_ID_CHARS or not value.isprintable():
        raise BadInputError(
            "bad_message_id", f"messageId must be text of at most {MAX_MESSAGE_ID_CHARS} printable characters"
        )
    return value


def _identifier(value: object, path: str) -> str | None:
    """The identifier as text; None where it is absent or a value that stands for nobody."""
    if value is None:
        return None
    if not isinstance(value, str):
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadInputError("bad_identifier", f"{path} must be text")
        value = str(value)
    value = value.strip()
    if not value or is_blocked(value):
        return None
    if len(value) > MAX_ID_CHARS or not value.isprintable():
        raise BadInputError("bad_identifier", f"{path} must have at most {MAX_ID_CHARS} printable characters")
    return value


def _name(item: dict[str, Any], call: EventType) -> str | None:
    """The event of a track call, the optional name of a page or screen."""
    if call is TRACK:
        path, value = "event", item.get("event")
    elif call in _VIEWS:
        path, value = "name", item.get("name")
        if value is None or value == "":
            return None
    else:
        return None
    value = value.strip() if isinstance(value, str) else ""
    if not value or len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise BadInputError("bad_event_name", f"{path} must be text of 1 to {MAX_NAME_CHARS} printable characters")
    return value


def _traits_and_properties(
    item: dict[str, Any], call: EventType, context: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(traits of the customer, properties of the event).

    Traits may stand in `context.traits` (some SDKs have them only there); they are kept once. A group's traits are
    not the customer's, so they are kept among the properties, like `groupId` and `previousId`.
    """
    nested = _object(context.pop("traits", None), "context.traits")
    traits = _object(item.get("traits"), "traits")
    properties = _object(item.get("properties"), "properties")
    if call is GROUP:
        group = _required_id(item, "groupId")
        return nested, {"groupId": group, "traits": traits} if traits else {"groupId": group}
    if call is ALIAS:
        properties = {**properties, "previousId": _required_id(item, "previousId")}
    category = item.get("category")
    if category is not None and call in _VIEWS and "category" not in properties:
        properties = {**properties, "category": category}
    return traits or nested, properties


def _names_somebody(traits: dict[str, Any], context: dict[str, Any]) -> bool:
    """Whether there is an identifier besides the two usual ones (docs/identity.md)."""
    return _is_text(traits.get("email")) or _is_text(traits.get("phone")) or bool(external_nodes(context))


def _required_id(item: dict[str, Any], path: str) -> str:
    value = _identifier(item.get(path), path)
    if value is None:
        raise BadInputError("no_identifier", f"{path} is missing")
    return value


def _complete(context: dict[str, Any], item: dict[str, Any], call: EventType, receipt: Receipt, times: Times) -> None:
    """Add what the server knows to an event's context, and take away what it must not hold."""
    library = context.get("library")
    from_browser = receipt.from_browser(library.get("name") if isinstance(library, dict) else library)
    ip = context.pop("ip", None)
    network = truncated_ip(ip) if isinstance(ip, str) and ip else (receipt.ip if from_browser else None)
    if network:
        context["ip"] = network
    if from_browser and receipt.user_agent and not context.get("userAgent"):
        context["userAgent"] = receipt.user_agent
    page = context.get("page")
    if from_browser and receipt.referer and call in _ON_A_PAGE and not page:
        context["page"] = {"url": masked(receipt.referer)}
    if "channel" not in context and isinstance(item.get("channel"), str):
        context["channel"] = item["channel"]
    if times.flag:
        context["clock"] = times.flag
