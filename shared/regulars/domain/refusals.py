"""What an address that too many people share says for everybody who has it."""

from __future__ import annotations

from regulars.domain.profile import Profile
from regulars.domain.statements import DENIED


def refusals_of(said: Profile) -> Profile:
    """That it is dead, or wants nothing more; a grant is nobody else's."""
    denied = {channel: record for channel, record in said.consents.items() if record.status == DENIED}
    return Profile(consents=denied, suppressed=dict(said.suppressed))
