"""Both stores of secrets keep what the port promises, through a rotation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import botocore.session
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from regulars.adapters.aws.secrets import SecretsManager
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.domain.errors import PermanentError, TransientError
from regulars.ports import Secrets


class Vault(Protocol):
    """Where secrets are kept, and the adapter that reads them."""

    secrets: Secrets

    def put(self, name: str, value: str) -> None:
        """Make it the current value."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""


class MemoryVault:
    def __init__(self) -> None:
        self._memory = MemorySecrets()
        self.secrets: Secrets = self._memory

    def put(self, name: str, value: str) -> None:
        self._memory.rotate(name, value)

    def wait(self, seconds: float) -> None:
        """Values in memory are never old."""


class MotoVault:
    def __init__(self) -> None:
        self.client: Any = botocore.session.get_session().create_client("secretsmanager", region_name="us-east-1")
        self._now = 0.0
        self.secrets: Secrets = SecretsManager(self.client, max_age=300, monotonic=lambda: self._now)

    def put(self, name: str, value: str) -> None:
        listed = self.client.list_secrets()["SecretList"]
        if any(secret["Name"] == name for secret in listed):
            self.client.put_secret_value(SecretId=name, SecretString=value)
        else:
            self.client.create_secret(Name=name, SecretString=value)

    def wait(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture(params=["memory", "moto"])
def vault(request: pytest.FixtureRequest) -> Iterator[Vault]:
    """An empty vault."""
    if request.param == "memory":
        yield MemoryVault()
        return
    with mock_aws():
        yield MotoVault()


def test_a_secret_that_does_not_exist_has_no_valid_value(vault: Vault) -> None:
    assert list(vault.secrets.valid("orders/nobody")) == []


def test_a_new_secret_has_one_valid_value(vault: Vault) -> None:
    vault.put("orders/shop", "first")
    assert list(vault.secrets.valid("orders/shop")) == ["first"]


def test_after_a_rotation_the_new_and_the_previous_value_are_valid_and_older_ones_are_not(vault: Vault) -> None:
    vault.put("orders/shop", "first")
    vault.put("orders/shop", "second")
    assert list(vault.secrets.valid("orders/shop")) == ["second", "first"]
    vault.put("orders/shop", "third")
    vault.wait(301)
    assert list(vault.secrets.valid("orders/shop")) == ["third", "second"]


def test_a_rotation_is_in_force_after_the_maximum_age_and_not_asked_for_before() -> None:
    with mock_aws():
        vault = MotoVault()
        vault.put("orders/shop", "first")
        assert list(vault.secrets.valid("orders/shop")) == ["first"]
        vault.put("orders/shop", "second")
        vault.wait(299)
        assert list(vault.secrets.valid("orders/shop")) == ["first"]
        vault.wait(2)
        assert list(vault.secrets.valid("orders/shop")) == ["second", "first"]


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", PermanentError), ("InternalServiceError", TransientError)]
)
def test_an_error_of_the_service_is_told_by_its_kind(code: str, error: type[Exception]) -> None:
    client: Any = botocore.session.get_session().create_client("secretsmanager", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", service_error_code=code)
        with pytest.raises(error):
            SecretsManager(client).valid("orders/shop")


def test_made_up_names_do_not_fill_the_memory() -> None:
    asked = 0

    class Empty:
        exceptions = None

        def get_secret_value(self, **_values: str) -> dict[str, str]:
            nonlocal asked
            asked += 1
            return {}

    secrets = SecretsManager(Empty())
    for n in range(1_000):
        secrets.valid(f"orders/{n}")
    assert len(secrets._kept) <= 100
    assert asked == 2_000
