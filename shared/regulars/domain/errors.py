"""The three kinds of failure, and bad input.

A caller decides by type, never by text: `BadInputError` is the sender's fault and is kept as a bad row,
`TransientError` may succeed later and is retried, `PermanentError` cannot succeed and goes to the dead letters,
`UnknownOutcomeError` may or may not have happened and must not be repeated blindly. Anything else is a bug and
propagates. No message of these may hold personal data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class RegularsError(Exception):
    """Base of every error that this package raises on purpose."""


class BadInputError(RegularsError):
    """The input breaks a documented rule.

    `code` is stable and documented in docs/error-codes.md; `detail` names the path and the fix, without the value.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TransientError(RegularsError):
    """A dependency refused for now (throttled, unavailable, a lost race); nothing was done that a retry would
    repeat."""


class PermanentError(RegularsError):
    """It can never succeed as asked (a rejected recipient, a missing object)."""


class UnknownOutcomeError(RegularsError):
    """The request may have taken effect and the answer was lost."""


class VersionConflictError(TransientError):
    """Another writer moved the item on since it was read: read again and recompute."""


@contextmanager
def computing() -> Iterator[None]:
    """Around what is computed of one customer. What its data, whatever somebody sent, do not let be computed fails that
    customer and nobody else: raises PermanentError in place of ArithmeticError."""
    try:
        yield
    except ArithmeticError as error:
        raise PermanentError(f"what is known of this customer cannot be computed: {type(error).__name__}") from error
