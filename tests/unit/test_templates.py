"""Templates: what they may do, what they may not, and that the starter templates hold."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import pytest

from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.templates import MAX_CHARACTERS, JinjaTemplates, money, shop_link
from regulars.adapters.tokens import SignedSurveys, SignedTokens
from regulars.application.compose_message import Shop, compose, display_name
from regulars.domain.sends import EmailMessage, SmsMessage, TemplateError, UnsafeContentError
from tests.send_samples import CART, a_send, a_text

STARTER = Path(__file__).parents[2] / "program" / "templates"
_SECRETS = MemorySecrets({"tokens": "k" * 32})
PARTS: dict[str, Any] = {
    "tokens": SignedTokens(_SECRETS, "tokens"),
    "surveys": SignedSurveys(_SECRETS, "tokens"),
    "catalogue": MemoryCatalogue(),
}
"""What composing needs besides templates and shop."""
NOTHING_KNOWN = {
    "first_name": None,
    "currency": "EUR",
    "cart": None,
    "orders_count": 0,
    "days_since_last_order": None,
}
EVERYTHING_KNOWN = {
    "first_name": "Ada",
    "currency": "JPY",
    "cart": CART,
    "orders_count": 3,
    "days_since_last_order": 40,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Templates of one e-mail, `t`, that says `Hello`."""
    (tmp_path / "email" / "t").mkdir(parents=True)
    for name in ("subject.txt", "body.html", "body.txt"):
        (tmp_path / "email" / "t" / name).write_text("Hello")
    return tmp_path


def rendered(folder: Path, part: str, text: str, **variables: Any) -> str:
    """One part of a template with this text."""
    file = {"html": "body.html", "text": "body.txt", "subject": "subject.txt"}[part]
    (folder / "email" / "t" / file).write_text(text)
    return JinjaTemplates(folder).render("t", "email", variables)[part]


def test_values_are_escaped_in_html_and_plain_in_text(folder: Path) -> None:
    assert rendered(folder, "html", "{{ name }}", name="<b>&'") == "&lt;b&gt;&amp;&#39;"
    assert rendered(folder, "text", "{{ name }}", name="<b>&'") == "<b>&'"


@pytest.mark.parametrize(
    "text",
    [
        "{{ unheard_of }}",
        "{{ name.unheard_of }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__init__.__globals__ }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ name | center(1000000000) }}",
        "{{ 1 / 0 }}",
        "{% if %}",
        "{% include 'elsewhere.txt' %}",
        "{% include '../../../pyproject.toml' %}",
        "{% for a in many %}{% for b in many %}{% for c in many %}xxxxxxxxxx{% endfor %}{% endfor %}{% endfor %}",
    ],
)
def test_a_template_that_goes_beyond_its_job_is_an_error_that_quotes_no_value(folder: Path, text: str) -> None:
    with pytest.raises(TemplateError) as raised:
        rendered(folder, "text", text, name="Ada Lovelace", many=list(range(200)))
    assert "Ada" not in str(raised.value)
    assert raised.value.__cause__ is None or "Ada" not in str(raised.value.__cause__)


def test_a_text_is_cut_off_only_where_it_is_too_long(folder: Path) -> None:
    assert len(rendered(folder, "text", "{{ name }}", name="x" * MAX_CHARACTERS)) == MAX_CHARACTERS
    with pytest.raises(TemplateError):
        rendered(folder, "text", "{{ name }}", name="x" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize("name", ["", "../t", "t/../t", "T", "a" * 65, "no_such"])
def test_a_template_is_named_by_a_plain_name_that_exists(folder: Path, name: str) -> None:
    with pytest.raises(TemplateError):
        JinjaTemplates(folder).render(name, "email", {})
    with pytest.raises(TemplateError):
        JinjaTemplates(folder).render("t", "pigeon", {})


@pytest.mark.parametrize("name", ["a\r\nBcc: victim@example.com", "a\nb", "a\x00b", "a\u2028b", "x" * 300])
def test_a_subject_is_one_line(folder: Path, name: str) -> None:
    with pytest.raises(UnsafeContentError):
        rendered(folder, "subject", "Hello {{ name }}", name=name)


@pytest.mark.parametrize(
    "template", ["welcome", "abandoned_cart", "win_back_email", "win_back_early", "post_purchase_nps"]
)
@pytest.mark.parametrize("variables", [NOTHING_KNOWN, EVERYTHING_KNOWN])
@pytest.mark.parametrize("url", ["", "https://shop.example"])
def test_starter_emails_hold_whatever_is_known(template: str, variables: dict[str, Any], url: str) -> None:
    shop = Shop("Ann & Bob's", "Ann & Bob's, 1 Example Street", "https://api.shop.example/", url)
    templates = JinjaTemplates(STARTER, shop_url=url)
    message = compose(a_send(template=template, variables=variables), templates=templates, **PARTS, shop=shop).message
    assert isinstance(message, EmailMessage)
    link = message.headers["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://api.shop.example/unsubscribe?t=")
    for part in (message.html, message.text):
        assert link in part
        assert shop.postal_address in unescape(part)
        assert "None" not in part
        assert "{" not in message.subject + message.text
    assert message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert 0 < len(message.subject) < 80
    assert "\n\n\n" not in message.text


@pytest.mark.parametrize("variables", [NOTHING_KNOWN, EVERYTHING_KNOWN])
def test_the_starter_sms_fits_one_part_and_says_how_to_stop(variables: dict[str, Any]) -> None:
    shop = Shop("Demo Shop", "", "https://api.shop.example")
    composed = compose(
        a_text(template="win_back_sms", variables=variables),
        templates=JinjaTemplates(STARTER),
        **PARTS,
        shop=shop,
    )
    assert isinstance(composed.message, SmsMessage)
    assert len(composed.message.text) <= 160
    assert "STOP" in composed.message.text
    assert composed.message.text.isascii()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Hello {{ postal_address }}", "{{ unsubscribe_url }} {{ postal_address }}"),
        ("{{ unsubscribe_url }} {{ postal_address }}", "Hello {{ postal_address }}"),
        ("{{ unsubscribe_url }} {{ postal_address }}", "{{ unsubscribe_url }}"),
        ("{{ unsubscribe_url }}", "{{ unsubscribe_url }} {{ postal_address }}"),
    ],
)
def test_an_email_without_unsubscribe_link_or_postal_address_is_not_composed(
    folder: Path, html: str, text: str
) -> None:
    (folder / "email" / "t" / "body.html").write_text(html)
    (folder / "email" / "t" / "body.txt").write_text(text)
    shop = Shop("Demo Shop", "1 Example Street", "https://api.shop.example")
    with pytest.raises(TemplateError):
        compose(a_send(template="t"), templates=JinjaTemplates(folder), **PARTS, shop=shop)


def test_an_sms_without_a_word_on_stop_is_not_composed(tmp_path: Path) -> None:
    (tmp_path / "sms" / "t").mkdir(parents=True)
    (tmp_path / "sms" / "t" / "text.txt").write_text("Come back! We never STOPPED thinking of you.")
    with pytest.raises(TemplateError):
        compose(a_text(template="t"), templates=JinjaTemplates(tmp_path), **PARTS, shop=Shop("S", "", "https://a"))


def test_the_content_hash_tells_texts_apart_and_not_links() -> None:
    shop = Shop("Demo Shop", "1 Example Street", "https://api.shop.example")
    templates = JinjaTemplates(STARTER)

    def hashed(occurrence: str, name: str) -> str:
        send = a_send(occurrence, variables={**NOTHING_KNOWN, "first_name": name})
        return compose(send, templates=templates, **PARTS, shop=shop).content_hash

    assert hashed("one", "Ada") == hashed("two", "Ada") != hashed("one", "Grace")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada", "Ada"),
        ("  Jean   Luc ", "Jean Luc"),
        ("O'Brien", "O'Brien"),
        ("\u0141ucja", "\u0141ucja"),
        (None, None),
        (7, None),
        ("", None),
        ("Win http://evil.example", None),
        ("www.evil", None),
        ("evil.example", None),
        ("me@example.com", None),
        ("<b>Ada</b>", None),
        ("Ada\x00", None),
        ("A" * 61, None),
        ("Ada\r\nBcc: victim", None),
    ],
)
def test_people_are_greeted_by_names_and_not_by_advertisements(name: object, shown: str | None) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://shop.example/p/1?x=2", "https://shop.example/p/1?x=2"),
        ("https://SHOP.example/p", "https://SHOP.example/p"),
        ("http://shop.example/p", "https://shop.example"),
        ("https://shop.example.evil.example/p", "https://shop.example"),
        ("https://user@shop.example/p", "https://shop.example"),
        ("https://shop.example:8443/p", "https://shop.example"),
        ("//evil.example", "https://shop.example"),
        ("javascript:alert(1)", "https://shop.example"),
        ("https://shop.example\\@evil.example", "https://shop.example"),
        ("https://[", "https://shop.example"),
        ("/p/1", "https://shop.example"),
        (None, "https://shop.example"),
    ],
)
def test_product_links_lead_into_the_shop_or_to_its_front_page(url: object, linked: str) -> None:
    assert shop_link(url, "https://shop.example") == linked


def test_without_a_shop_url_there_are_no_product_links() -> None:
    assert shop_link("https://shop.example/p", "") == ""


def test_money_has_the_decimals_of_its_currency() -> None:
    assert [money(1234, "EUR"), money(1234, "JPY"), money(1234, "KWD")] == ["12.34 EUR", "1234 JPY", "1.234 KWD"]
