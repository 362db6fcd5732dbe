"""Signed order webhooks -> SQS events."""
