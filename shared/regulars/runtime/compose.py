"""The composition root: the only place where use cases meet adapters.

One builder per function, each importing only what that function needs (a cold start pays for every import), each reading
its settings from the environment. A handler calls its builder once per container.
"""

from __future__ import annotations
