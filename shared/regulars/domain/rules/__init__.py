"""The segment language: an immutable tree of rules and what can be done with it.

`tree` parses and checks, `compile` turns a rule into a fast function that also says until when its verdict holds,
`evaluate` runs a whole program over one customer, `explain` and `describe` put verdicts and rules into words.
"""
