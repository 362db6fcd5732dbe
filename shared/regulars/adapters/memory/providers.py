"""Message providers in memory: what was sent can be looked at, and answers can go wrong as real ones do."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from regulars.domain.errors import RegularsError, UnknownOutcomeError
from regulars.domain.sends import EmailMessage, SmsMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

M = TypeVar("M", EmailMessage, SmsMessage)


class _Provider(Generic[M]):
    """Takes every message, but for the first ones, which meet `faults` in order (None: no fault).

    An UnknownOutcomeError is raised *after* the message was taken, as by an answer that is lost; others before.
    """

    def __init__(self, faults: Iterable[RegularsError | None] = ()) -> None:
        self.sent: list[M] = []
        self._faults = deque(faults)

    def send(self, message: M) -> str:
        """The id of the message: `provider-<n>`."""
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and not isinstance(fault, UnknownOutcomeError):
            raise fault
        self.sent.append(message)
        if fault is not None:
            raise fault
        return f"provider-{len(self.sent)}"


class MemoryMailer(_Provider[EmailMessage]):
    """`Mailer` in memory."""


class MemoryTexter(_Provider[SmsMessage]):
    """`Texter` in memory."""
