"""HTTP hits -> SQS events; the snippet."""
