"""What shop systems say, as canonical events: one translator each, from parsed webhook bodies."""
