"""Webhooks: how each kind of sender signs, and what becomes of what it sends."""
