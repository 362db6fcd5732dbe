"""`Secrets` in memory."""

from __future__ import annotations


class MemorySecrets:
    """Named secrets with the current and, after a rotation, the previous value."""

    def __init__(self, secrets: dict[str, str] | None = None) -> None:
        self._values: dict[str, tuple[str, ...]] = {name: (value,) for name, value in (secrets or {}).items()}

    def rotate(self, name: str, value: str) -> None:
        """Make `value` the current one; the one before it stays valid, older ones do not."""
        self._values[name] = (value, *self._values.get(name, ())[:1])

    def valid(self, name: str) -> tuple[str, ...]:
        """The current and the previous value; empty when there is no such secret."""
        return self._values.get(name, ())
