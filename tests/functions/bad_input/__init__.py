"""Bad input, one table for each endpoint: what is sent, what is answered, what is kept, what is stored.

All on the real functions in the local cloud. The tables of payloads are in payloads.py; the tests of the use cases
(tests/unit) use them too. For templates, rules and programs, which are files and no endpoints, the tables are in
tests/unit/test_templates.py, tests/unit/rules/test_tree.py and tests/unit/test_program.py.

Where others answer differently, on purpose:
- 200 and not 202: Segment's SDKs send again on any other 2xx.
- 400 `too_large` and not 413: SDKs drop a 400 and try a 413 again; the gateway's own limit (10 MB) is 413.
- No 415: browsers' beacons say `text/plain`, gzip clients say many things; the bytes tell what they are.
- 404 and not 405 for a method without a route: API Gateway answers that itself, and no function is paid for. The
  functions answer 405 to methods that another route could bring them (last table of test_gateway.py).
"""
