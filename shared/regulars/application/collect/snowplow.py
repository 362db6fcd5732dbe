"""Snowplow's tracker protocol to Segment calls, one payload at a time.

Parameters: Snowplow, "Snowplow tracker protocol". All values are text; self-describing JSON comes as text (`ue_pr`,
`co`) or as base64url of it (`ue_px`, `cx`). `aid` is the write key, `eid` the message's id, `uid` the user, `duid` the
browser.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from regulars.application.collect.segment import MAX_NAME_CHARS
from regulars.application.collect.shape import checked
from regulars.application.collect.snowplow_events import ENTITIES, SESSION, Entity, named_event, schema_name
from regulars.application.collect.wire import reject_duplicate_keys
from regulars.domain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

APP_ID = "aid"

_LIBRARIES = {"js": "snowplow-js", "py": "snowplow-py", "node": "snowplow-node"}
_CHANNELS = {"web": "browser", "mob": "mobile", "srv": "server", "pc": "server"}
_CAMPAIGN = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}
_SCROLLED = {"pp_mix": "min_x", "pp_max": "max_x", "pp_miy": "min_y", "pp_may": "max_y"}
_STRUCTURED = {"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"}
_TRANSACTION = {
    "tr_id": "order_id", "tr_af": "affiliation", "tr_tt": "total", "tr_tx": "tax", "tr_sh": "shipping",
    "tr_cu": "currency",
}  # fmt: skip
_ITEM = {
    "ti_id": "order_id", "ti_sk": "product_id", "ti_nm": "name", "ti_ca": "category", "ti_pr": "price",
    "ti_qu": "quantity", "ti_cu": "currency",
}  # fmt: skip
_NUMBERS = frozenset({"value", "total", "tax", "shipping", "price", "quantity", "min_x", "max_x", "min_y", "max_y"})
_MAX_UTM = 100


def call_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The Segment call that a payload spells.

    Raises BadInputError `unknown_type` for an `e` that is none of the protocol's, `bad_parameter` for self-describing
    JSON that is none, and what `shape.checked` raises for it.
    """
    payload = {name: text for name, value in given.items() if (text := _text(value)) is not None}
    entities = _entities(payload)
    session = next((data for name, data in entities if name == SESSION), {})
    call, unused = _call(payload, entities)
    call["messageId"] = payload.get("eid")
    call["userId"] = payload.get("uid")
    call["anonymousId"] = payload.get("duid") or session.get("userId") or payload.get("nuid")
    if "ttm" in payload:  # the tracker's word that this is the right time, whatever its clock says
        call["timestamp"] = payload["ttm"]
    else:
        call["timestamp"], call["sentAt"] = payload.get("dtm"), payload.get("stm")
    call["context"] = _context(payload, session, unused)
    return call


def _text(value: object) -> str | None:
    """A parameter as text; some trackers write numbers as they are."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _call(payload: dict[str, str], entities: list[Entity]) -> tuple[dict[str, Any], list[Entity]]:
    """The call, and the entities that it was not made of."""
    match payload.get("e"):
        case "pv":
            name = payload.get("page", "")[:MAX_NAME_CHARS].strip()
            call = {"type": "page", "name": name if name.isprintable() else "", "properties": _page(payload)}
        case "pp":
            call = _track("Page Ping", {**_page(payload), **_taken(payload, _SCROLLED)})
        case "se":
            call = _track(payload.get("se_ac"), _taken(payload, _STRUCTURED))
        case "ue":
            return _self_described(payload, entities)
        case "tr":
            call = _track("Order Completed", _taken(payload, _TRANSACTION))
        case "ti":
            call = _track("Transaction Item", _taken(payload, _ITEM))
        case _:
            raise BadInputError("unknown_type", "e must be one of pv, pp, se, ue, tr, ti")
    return call, entities


def _self_described(payload: dict[str, str], entities: list[Entity]) -> tuple[dict[str, Any], list[Entity]]:
    outer = _document(payload, "ue_pr", "ue_px")
    inner = outer.get("data") if outer else None
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), str):
        raise BadInputError("bad_parameter", "ue_pr must hold a self-describing event")
    data = inner.get("data")
    return named_event(inner["schema"], data if isinstance(data, dict) else {}, entities)


def _track(name: str | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "track", "event": name, "properties": properties}


def _taken(payload: dict[str, str], names: dict[str, str]) -> dict[str, Any]:
    return {
        name: _number(payload[parameter]) if name in _NUMBERS else payload[parameter]
        for parameter, name in names.items()
        if parameter in payload
    }


def _number(text: str) -> object:
    try:
        number = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return number if isinstance(number, int | float) else text


def _document(payload: dict[str, str], plain: str, encoded: str) -> dict[str, Any] | None:
    """The JSON object in one of two parameters; None where there is neither."""
    if plain in payload:
        name, raw = plain, payload[plain].encode("utf-8", "surrogatepass")
    elif encoded in payload:
        name, text = encoded, payload[encoded].rstrip("=")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError) as error:
            raise BadInputError("bad_parameter", f"{name} must be base64url of JSON") from error
    else:
        return None
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInputError("bad_parameter", f"{name} must be a JSON object") from error
    if not isinstance(document, dict):
        raise BadInputError("bad_parameter", f"{name} must be a JSON object")
    reject_duplicate_keys(raw, checked(document))
    return document


def _entities(payload: dict[str, str]) -> list[Entity]:
    document = _document(payload, "co", "cx")
    found = document.get("data") if document else None
    return [
        (schema_name(item["schema"]), item["data"])
        for item in (found if isinstance(found, list) else ())
        if isinstance(item, dict) and isinstance(item.get("schema"), str) and isinstance(item.get("data"), dict)
    ]


def _context(payload: dict[str, str], session: dict[str, Any], entities: list[Entity]) -> dict[str, Any]:
    """The page, campaign, library and machine of a payload; entities that nothing was made of, under their names."""
    context: dict[str, Any] = {"library": _library(payload)}
    if page := _page(payload):
        context["page"] = page
    if campaign := _campaign(payload.get("url", "")):
        context["campaign"] = campaign
    for parameter, name in (("ip", "ip"), ("ua", "userAgent"), ("lang", "locale"), ("tz", "timezone")):
        if parameter in payload:
            context[name] = payload[parameter]
    if platform := payload.get("p"):
        context["channel"] = _CHANNELS.get(platform, platform)
    if session_id := payload.get("sid") or session.get("sessionId"):
        context["sessionId"] = session_id
    kept: dict[str, Any] = {}
    for name, data in entities:
        if name in ENTITIES:
            ENTITIES[name](data, context)
        else:
            kept.setdefault(name, []).append(data)
    if kept:
        context["entities"] = kept
    return context


def _library(payload: dict[str, str]) -> dict[str, str]:
    """`js-4.10.1` is version 4.10.1 of the tracker `js`."""
    tracker, _, version = payload.get("tv", "").partition("-")
    return {"name": _LIBRARIES.get(tracker, f"snowplow-{tracker}" if tracker else "snowplow"), "version": version}


def _page(payload: dict[str, str]) -> dict[str, str]:
    page = {}
    if url := payload.get("url"):
        page["url"] = url
        try:
            parts = urlsplit(url)
        except ValueError:  # an address that only looks like one is kept whole
            parts = None
        if parts is not None:
            page["path"] = parts.path
            page["search"] = f"?{parts.query}" if parts.query else ""
    if title := payload.get("page"):
        page["title"] = title
    if referrer := payload.get("refr"):
        page["referrer"] = referrer
    return page


def _campaign(url: str) -> dict[str, str]:
    """Segment's names of the `utm_` parameters of a page's address."""
    if "utm_" not in url:
        return {}
    try:
        query = parse_qs(urlsplit(url).query, max_num_fields=_MAX_UTM)
    except ValueError:
        return {}
    return {name: query[parameter][0] for parameter, name in _CAMPAIGN.items() if parameter in query}
