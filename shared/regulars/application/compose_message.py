"""From a decision to the message as the provider gets it: the rendered text with everything that the law and mailbox
providers ask of marketing mail, whatever the template says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

from regulars.application.survey_links import SurveyLinks
from regulars.domain.product_lines import current_cart
from regulars.domain.sends import (
    Channel,
    EmailMessage,
    SendRecord,
    SmsMessage,
    Subscription,
    TemplateError,
    content_hash,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.ports import Catalogue, SurveyTokens, Templates, UnsubscribeTokens

ONE_CLICK = "List-Unsubscribe=One-Click"
"""RFC 8058, section 3.1."""

_MAX_NAME = 60
# What names do not hold and advertisements do. Sign-up forms are used to send a stranger a text of one's own choice.
_NO_NAME = re.compile(r"[/:@<>\\\d]|www\.|\.\w{2,}", re.IGNORECASE)
_STOP = re.compile(r"\bSTOP\b")


@dataclass(frozen=True, slots=True)
class Shop:
    """What every message says about its sender. `public_url`: where customers reach the HTTP API; `url`: the shop's
    front page, empty when not configured."""

    name: str
    postal_address: str
    public_url: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to go, and the hash of its text."""

    message: EmailMessage | SmsMessage
    content_hash: str


def compose(
    record: SendRecord,
    *,
    templates: Templates,
    tokens: UnsubscribeTokens,
    surveys: SurveyTokens,
    catalogue: Catalogue,
    shop: Shop,
) -> Composed:
    """Render the message of a decision, with the products of its cart as the catalogue sees them now.

    Raises TemplateError when the template is wrong or leaves out what must be in it: the unsubscribe link and the
    postal address in both parts of an e-mail, the word STOP in an SMS. Raises UnsafeContentError as Templates.render
    does.
    """
    survey_url = SurveyLinks(record, tokens=surveys, public_url=shop.public_url)
    shared = {
        **record.variables,
        "cart": _cart(record.variables, catalogue),
        "first_name": display_name(record.variables.get("first_name")),
        "shop": shop.name,
        "shop_url": shop.url,
        "survey_url": survey_url,
    }
    if record.channel is Channel.SMS:
        return _sms(record, templates.render(record.template, "sms", shared), survey_url)
    subscription = Subscription(address_node=record.address_node, channel=record.channel, send_key=record.send_key)
    link = f"{shop.public_url.rstrip('/')}/unsubscribe?t={tokens.issue(subscription)}"
    own = {"unsubscribe_url": link, "postal_address": shop.postal_address}
    return _email(record, templates.render(record.template, "email", {**shared, **own}), link, survey_url, shop)


def _cart(variables: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any] | None:
    """The cart of a decision as it can be bought now; None where there is none. One read of the catalogue."""
    cart = variables.get("cart")
    if cart is None:
        return None
    wanted = [line["product_id"] for line in cart["items"] if line.get("product_id")]
    return current_cart(cart, catalogue.products(wanted) if wanted else {}, variables["currency"])


def display_name(name: object) -> str | None:
    """A first name fit to greet with: one line, short, no link; None where there is none."""
    if not isinstance(name, str):
        return None
    line = " ".join(name.split())
    fit = 0 < len(line) <= _MAX_NAME and line.isprintable() and not _NO_NAME.search(line)
    return line if fit else None


def send_id(record: SendRecord) -> str:
    """`<address node>-<send key>`: what a provider's event brings back to say which message it is about."""
    return f"{record.address_node}-{record.send_key}"


def _email(record: SendRecord, parts: Mapping[str, str], link: str, survey_url: SurveyLinks, shop: Shop) -> Composed:
    for part in ("html", "text"):
        if link not in parts[part]:
            raise TemplateError(f"template {record.template}: no unsubscribe link in the {part} part")
    if shop.postal_address not in parts["text"] or shop.postal_address not in unescape(parts["html"]):
        raise TemplateError(f"template {record.template}: no postal address in both parts")
    message = EmailMessage(
        to=record.address,
        subject=parts["subject"],
        html=parts["html"],
        text=parts["text"],
        headers={
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": ONE_CLICK,
            "X-Regulars-Send": send_id(record),
        },
        tags={"send_id": send_id(record), "campaign": record.campaign, "customer": record.customer},
    )
    return Composed(message, _hash(parts, [link, *survey_url.tokens_issued]))


def _hash(parts: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Links differ from message to message; the hash is to tell texts apart, not tokens."""
    texts = dict(parts)
    for secret in secrets:
        texts = {name: text.replace(secret, "") for name, text in texts.items()}
    return content_hash(texts)


def _sms(record: SendRecord, parts: Mapping[str, str], survey_url: SurveyLinks) -> Composed:
    if not _STOP.search(parts["text"]):
        raise TemplateError(f"template {record.template}: no word on STOP")
    message = SmsMessage(to=record.address, text=parts["text"].strip())
    return Composed(message, _hash(parts, survey_url.tokens_issued))
