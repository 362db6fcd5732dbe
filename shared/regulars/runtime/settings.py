"""Typed settings, read from the environment once at cold start."""

from __future__ import annotations

import os
from pathlib import Path


class SettingsError(Exception):
    """The function's environment is not complete: the deployment is wrong, and no request can be served."""


def required(name: str) -> str:
    """The value of an environment variable. Raises SettingsError when it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"environment variable {name} is missing or empty")
    return value


def optional(name: str, default: str) -> str:
    """The value of an environment variable, or `default` where it is missing or empty."""
    return os.environ.get(name) or default


def program_folder() -> Path:
    """Where the marketing program is: PROGRAM_PATH, or `program` in the function's folder."""
    return Path(optional("PROGRAM_PATH", "program"))


def contracts_folder() -> Path:
    """Where the event contracts are: CONTRACTS_PATH, or `events/contracts` in the function's folder."""
    return Path(optional("CONTRACTS_PATH", "events/contracts"))


def pairs(name: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping. Raises SettingsError when it is missing or misshapen."""
    entries = [entry.strip().partition("=") for entry in required(name).split(",")]
    if not all(key and sign and value for key, sign, value in entries):
        raise SettingsError(f"environment variable {name} must look like name=value,name=value")
    return {key: value for key, _, value in entries}
