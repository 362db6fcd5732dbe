"""What browser libraries ask for before they send anything: to whom, and whether at all.

Without an answer that names where to send they load and silently send nothing, so an unknown key is a clear refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.application.http import HttpRequest

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?")


def segment_settings(key: str, request: HttpRequest) -> dict[str, Any]:
    """Segment's `GET /v1/projects/{writeKey}/settings`: events go to the host that was asked, by the same protocol."""
    host = request.headers.get("host", "")
    integration: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": False}
    if _HOST.fullmatch(host):
        integration["apiHost"] = f"{host}/v1"
        integration["protocol"] = "http" if request.headers.get("x-forwarded-proto") == "http" else "https"
    return {"integrations": {"Segment.io": integration}, "plan": {}, "edgeFunction": {}}


def rudder_settings(key: str, source: str) -> dict[str, Any]:
    """Rudder's `GET /sourceConfig/`: the source is on, has no other destinations, and reports nothing about itself."""
    off = {"enabled": False}
    return {
        "isHosted": True,
        "source": {
            "id": source,
            "name": source,
            "writeKey": key,
            "enabled": True,
            "config": {"statsCollection": {"errors": off, "metrics": off}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
    }
