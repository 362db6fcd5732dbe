"""Clients that run on a shop's servers: the real packages over HTTP, through 429, 503 and an answer that is lost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.clients import INSTALLED, node
from infra.local.customers import Customers
from tests.clients.collector import FAULTS, Clients, cloud_for, key_of
from tests.clients.story import EMAIL_NODE, USER_NODE, counted, customer_of, profile_by, profile_of

DRIVERS = Path(__file__).parent / "drivers"
PYTHON = ("segment-python", "rudder-python", "snowplow-python", "snowplow-python-get")
NODE = ("segment-node", "jitsu")
RETRYING = (*PYTHON, "segment-node")
"""Jitsu's library gives up at once."""
SIX_CALLS = {"identify": 1, "page": 1, "Product Viewed": 1, "Product Added": 1, "screen": 1, "group": 1, "alias": 1}
SNOWPLOW = {"page": 1, "Product Viewed": 1, "Product Added": 1}
STORED = {
    "segment-python": SIX_CALLS,
    "segment-node": SIX_CALLS,
    "rudder-python": SIX_CALLS,
    "snowplow-python": SNOWPLOW,
    "snowplow-python-get": SNOWPLOW,
    "jitsu": {"identify": 1, "page": 1, "Product Viewed": 1, "Product Added": 1},
}


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """All of them at once, each in a process of its own; when all are done."""
    assert (INSTALLED / "stamp").exists(), "the clients are not installed: run make tools"
    with cloud_for(*PYTHON, *NODE) as cloud:
        driven = Clients(cloud)
        commands = {name: [sys.executable, str(DRIVERS / "python_clients.py"), name] for name in PYTHON}
        commands |= {name: [str(node()), str(DRIVERS / "node_clients.cjs"), str(INSTALLED), name] for name in NODE}
        for name in commands:
            driven.collector(name, faults=list(FAULTS) if name in RETRYING else [])
        running = {
            name: subprocess.Popen(  # noqa: S603
                [*command, driven.collectors[name].url, key_of(name)], stderr=subprocess.PIPE, text=True
            )
            for name, command in commands.items()
        }
        for name, process in running.items():
            _out, errors = process.communicate(timeout=120)
            assert process.returncode == 0, f"{name} was not content: {errors}"
        yield driven
        driven.close()


@pytest.mark.parametrize("client", STORED)
def test_each_call_is_stored_exactly_once(clients: Clients, client: str) -> None:
    assert counted(clients.stored(client)) == STORED[client]


@pytest.mark.parametrize("client", RETRYING)
def test_each_bad_answer_was_met_and_outlived(clients: Clients, client: str) -> None:
    answered = Counter(status for _method, _path, status in clients.collectors[client].answers)
    assert (answered[429], answered[503], answered[502]) == (1, 1, 1)
    assert set(answered) == {200, 429, 503, 502}


@pytest.mark.parametrize("client", STORED)
def test_it_is_the_same_shopper_with_the_same_profile(clients: Clients, client: str) -> None:
    events = clients.stored(client)
    assert customer_of(events) == {USER_NODE, EMAIL_NODE}
    assert profile_of(events) == profile_by(client)


def test_nothing_that_they_sent_was_bad(clients: Clients) -> None:
    assert clients.bad_rows() == []


def test_all_clients_together_know_one_customer(clients: Clients) -> None:
    """Whatever each says of them: the store sees one shopper, who did everything."""
    clients.cloud.settle()
    (story,) = Customers(clients.cloud).stories()
    assert {USER_NODE, EMAIL_NODE} < set(story.nodes)
