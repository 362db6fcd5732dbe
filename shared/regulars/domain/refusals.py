"""What an address that is not a customer's own says to whoever would write there."""

from __future__ import annotations

from regulars.domain.consents import refusals_of
from regulars.domain.profile import Profile


def refused_at(said: Profile) -> Profile:
    """That the address is dead, or wants nothing more; a grant is nobody else's."""
    denied = refusals_of(said.consents.values())
    return Profile(consents={record.key: record for record in denied}, suppressed=dict(said.suppressed))
