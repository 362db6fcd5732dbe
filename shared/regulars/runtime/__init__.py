"""What runs handlers: their composition, envelopes, settings and observability.

A handler's values die when the last reference to them goes. Looking for cycles among them after every 700, which is
Python's default, finds none and costs a tenth of the CPU.
"""

import gc

gc.set_threshold(50_000, 20, 100)
