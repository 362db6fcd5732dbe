"""Unsubscribe tokens: only what was issued here, for this purpose, and is whole, is read."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedTokens
from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.sends import Channel, Subscription
from tests.send_samples import EMAIL, a_send

ABOUT = Subscription(address_node=a_send().address_node, channel=Channel.EMAIL, send_key=a_send().send_key)


def tokens(value: str = "current-key", **other: str) -> SignedTokens:
    """Tokens under one secret value."""
    return SignedTokens(MemorySecrets({"tokens": value}), "tokens", **other)


def test_a_token_says_what_it_was_issued_for() -> None:
    assert tokens().read(tokens().issue(ABOUT)) == ABOUT
    text = Subscription(address_node="p_1", channel=Channel.SMS)
    assert tokens().read(tokens().issue(text)) == text


def test_a_token_fits_a_url_and_a_header_line_and_holds_no_personal_data() -> None:
    token = tokens().issue(ABOUT)
    payload = token.split(".")[1] if token.startswith(".") else token.split(".")[0]
    said = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    said = zlib.decompress(said) if token.startswith(".") else said
    assert len(token) < 250
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert EMAIL.split("@")[0].encode() not in said


def test_links_outlive_a_rotation_and_lines_keep_older_keys() -> None:
    secrets = MemorySecrets({"tokens": "first"})
    rotating = SignedTokens(secrets, "tokens")
    first = rotating.issue(ABOUT)
    secrets.rotate("tokens", "second")
    second = rotating.issue(ABOUT)
    assert rotating.read(first) == rotating.read(second) == ABOUT
    secrets.rotate("tokens", "third")
    with pytest.raises(BadInputError):
        rotating.read(first)
    secrets.rotate("tokens", "fourth\nthird\nsecond\n first \n")
    assert rotating.read(first) == ABOUT
    assert tokens("fourth").read(rotating.issue(ABOUT)) == ABOUT


def test_tokens_of_another_purpose_or_key_do_not_verify() -> None:
    for foreign in (tokens(purpose="regulars.click.1"), tokens("other key")):
        with pytest.raises(BadInputError, match="bad_token"):
            tokens().read(foreign.issue(ABOUT))


def test_a_token_signed_with_the_librarys_defaults_does_not_verify() -> None:
    forged = URLSafeSerializer("current-key", salt="regulars.unsubscribe.1").dumps([ABOUT.address_node, "email", None])
    with pytest.raises(BadInputError):
        tokens().read(str(forged))


@pytest.mark.parametrize("text", ["", ".", "a", "a.b", "\u00fc.b", "x" * 601, ".eJw.AAAA", "null.x"])
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        tokens().read(text)


@pytest.mark.parametrize("junk", ["}", " ", "\n", "=", "+", "/", "%", "\u00fc", "\x00"])
def test_a_signature_with_characters_that_base64_passes_over_is_refused(junk: str) -> None:
    token = tokens().issue(ABOUT)
    for changed in (token[:-5] + junk + token[-5:], token + junk, junk + token):
        with pytest.raises(BadInputError):
            tokens().read(changed)


@settings(max_examples=200)
@given(position=st.integers(0, 10_000), character=st.sampled_from("Aaz09-_."))
def test_a_token_with_any_other_character_is_refused(position: int, character: str) -> None:
    token = tokens().issue(ABOUT)
    # Of the last character of the signature, only the upper four of six bits count.
    position %= len(token) - 1
    if token[position] == character:
        return
    with pytest.raises(BadInputError):
        tokens().read(token[:position] + character + token[position + 1 :])


@settings(max_examples=50)
@given(length=st.integers(0, 10_000))
def test_a_truncated_token_is_refused(length: int) -> None:
    token = tokens().issue(ABOUT)
    with pytest.raises(BadInputError):
        tokens().read(token[: length % len(token)])


def test_without_a_key_nothing_is_signed() -> None:
    for value in ("", "\n \n"):
        with pytest.raises(PermanentError):
            tokens(value).issue(ABOUT)
