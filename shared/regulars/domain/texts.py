"""Texts that strangers wrote, as far as they are kept."""

from __future__ import annotations

from typing import Any
from unicodedata import category

_MAX_TEXT = 500
_NO_TEXT = frozenset({"Cc", "Cs", "Cn"})


def text_of(value: Any) -> str | None:
    """A text cleaned; None for anything else and for an empty one."""
    return cleaned(value) if isinstance(value, str) and value else None


def cleaned(text: str) -> str:
    """At most 500 characters, none of them controls (JSON writes six bytes for each) or no character at all."""
    text = text[:_MAX_TEXT]
    return text if text.isprintable() else "".join(char for char in text if category(char) not in _NO_TEXT)
