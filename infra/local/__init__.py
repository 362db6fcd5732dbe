"""The local cloud: the template's resources on moto, its functions in this process, on a clock that can be moved.

It imports anything; nothing that is packaged imports it.
"""

from __future__ import annotations

from infra.local.cloud import LocalCloud
from infra.local.functions import InvocationError
from infra.local.http_api import Response

__all__ = ["InvocationError", "LocalCloud", "Response"]
