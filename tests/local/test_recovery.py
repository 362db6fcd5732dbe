"""The recovery commands on the local cloud: something breaks, a command puts it right, and nobody notices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from click.testing import CliRunner

from infra.local import LocalCloud
from infra.local.cli import main
from regulars.domain.identity import NodeKind, node_id
from tests.local.test_way_of_an_event import customers, traffic
from tests.traffic import place_order, post_batch

if TYPE_CHECKING:
    from infra.local.aws_calls import AwsCall, Proceed

ROOT = Path(__file__).parents[2]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANN, BOB = node_id(NodeKind.USER, "ann"), node_id(NodeKind.USER, "bob")
SIGN_UP: list[dict[str, Any]] = [
    {"type": "identify", "userId": "cat", "traits": {"email": "cat@example.com"}, "messageId": "c1"},
    {"type": "track", "userId": "cat", "event": "Consent Updated", "messageId": "c2",
     "properties": {"channel": "email", "status": "granted", "text_version": "v1"}},
]  # fmt: skip


def regulars(cloud: LocalCloud, *arguments: str, program: Path = ROOT / "program") -> str:
    """What an operator's command prints; everything that it sets off has run afterwards."""
    environment = {"TABLE_NAME": cloud.table_name, "BUCKET_NAME": cloud.bucket_name, "PROGRAM_PATH": str(program)}
    result = CliRunner().invoke(main, list(arguments), env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    cloud.settle()
    return result.output


@pytest.fixture
def shop(cloud: LocalCloud) -> LocalCloud:
    """A cloud after a morning in the shop."""
    for request in traffic():
        request(cloud)
    cloud.settle()
    return cloud


def key(node: str, kind: str) -> dict[str, Any]:
    return {"pk": {"S": node}, "sk": {"S": kind}}


def overwrite(cloud: LocalCloud, node: str, kind: str, doc: str) -> None:
    """Put something else into an item behind everybody's back."""
    cloud.client("dynamodb").update_item(
        TableName=cloud.table_name,
        Key=key(node, kind),
        UpdateExpression="SET doc = :doc",
        ExpressionAttributeValues={":doc": {"S": doc}},
    )


def document(cloud: LocalCloud, node: str, kind: str) -> dict[str, Any]:
    item = cloud.client("dynamodb").get_item(TableName=cloud.table_name, Key=key(node, kind))["Item"]
    found: dict[str, Any] = orjson.loads(item["doc"]["S"])
    return found


@contextmanager
def broken(cloud: LocalCloud, function: str) -> Iterator[None]:
    """A function that fails whatever it is given."""

    def fail(_event: object, _context: object) -> None:
        raise RuntimeError("a bad deployment")

    cloud.functions._loaded[function] = fail
    yield
    cloud.functions.forget(function)


def vandalise(cloud: LocalCloud) -> None:
    """One profile gone, one that nobody can read, one with a wrong count and no memory of ids; orders lost."""
    cloud.client("dynamodb").delete_item(TableName=cloud.table_name, Key=key(ANN, "PROFILE"))
    overwrite(cloud, node_id(NodeKind.EMAIL, "bob@example.com"), "PROFILE", '{"n":')
    wrong = document(cloud, BOB, "PROFILE") | {"n": 99}
    del wrong["i"]
    overwrite(cloud, BOB, "PROFILE", json.dumps(wrong))
    overwrite(cloud, BOB, "ORDERS", "{}")
    cloud.settle()


def test_rebuild_makes_the_same_profiles_again_and_sends_nothing(shop: LocalCloud) -> None:
    """And what goes out in the weeks after is what would have gone out, once."""
    before = customers(shop)
    vandalise(shop)
    told = regulars(shop, "rebuild", "--all")
    assert "2 different, 1 missing, 3 rebuilt" in told
    assert customers(shop) == before
    assert (shop.mail, shop.sms) == ([], [])
    assert "0 different, 0 missing, 0 rebuilt" in regulars(shop, "rebuild", "--all")
    shop.advance(by=DAY)
    assert sorted(mail.recipients[0] for mail in shop.mail) == ["ann@example.com", "ann@example.com"]
    assert shop.dead_letters() == {}


def test_rebuild_of_one_customer_takes_all_their_nodes(shop: LocalCloud) -> None:
    before = customers(shop)
    vandalise(shop)
    assert "1 rebuilt" in regulars(shop, "rebuild", "--customer", "user:ann")
    assert "2 rebuilt" in regulars(shop, "rebuild", "--customer", BOB)
    assert customers(shop) == before


def test_live_traffic_during_a_rebuild_is_not_lost(shop: LocalCloud) -> None:
    """An order is placed and folded right before the rebuild writes."""
    order = {
        "order_id": "o2", "version": 1, "placed_at": "2026-11-22T08:30:00Z", "status": "paid", "currency": "USD",
        "total": "7.00", "customer": {"user_id": "bob"},
    }  # fmt: skip

    def buy_first(call: AwsCall, proceed: Proceed) -> Any:
        if call.operation == "PutItem" and not call.function:
            shop.calls.interceptor = None
            place_order(shop, order)
            shop.settle()
        return proceed()

    vandalise(shop)
    shop.calls.interceptor = buy_first
    assert "kept changing" not in regulars(shop, "rebuild", "--all")
    found = customers(shop)
    shop.close()
    with LocalCloud() as twin:
        for request in traffic():
            request(twin)
        twin.settle()
        place_order(twin, order)
        twin.settle()
        assert found == customers(twin)


def test_letters_of_a_failed_fold_go_back_and_are_folded(cloud: LocalCloud) -> None:
    """A subscription waits among the dead letters; redriven, it is welcomed, once."""
    cloud.settle()
    with broken(cloud, "update_customers"):
        post_batch(cloud, SIGN_UP)
        cloud.advance(by=DAY)
    assert list(cloud.dead_letters()) == ["landed-dlq"]
    assert "landed: 1 waiting" in regulars(cloud, "redrive", "--dry-run")
    assert list(cloud.dead_letters()) == ["landed-dlq"]
    assert "landed: 1 waiting; 1 moved" in regulars(cloud, "redrive")
    assert cloud.dead_letters() == {}
    cloud.advance(by=HOUR)
    assert [mail.recipients[0] for mail in cloud.mail] == ["cat@example.com"]
    assert "landed: 0 waiting\n" in regulars(cloud, "redrive")


def test_changes_that_were_never_evaluated_are_decided_after_all(cloud: LocalCloud) -> None:
    """The stream's letters name positions only; what changed there is read again, and decided."""
    with broken(cloud, "evaluate_customers"):
        post_batch(cloud, SIGN_UP)
        cloud.settle()
    assert list(cloud.dead_letters()) == ["stream-dlq"]
    told = regulars(cloud, "redrive", "--queue", "stream")
    assert "2 waiting; 2 decided" in told
    assert cloud.dead_letters() == {}
    cloud.advance(by=HOUR)
    assert [mail.recipients[0] for mail in cloud.mail] == ["cat@example.com"]


def test_changes_that_the_stream_has_forgotten_are_decided_with_everybody(
    shop: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.streams._KEPT", 0)
    with broken(shop, "evaluate_customers"):
        post_batch(shop, SIGN_UP)
        shop.settle()
    told = regulars(shop, "redrive", "--queue", "stream")
    assert f"{len(customers(shop))} customers' nodes brought up" in told
    assert shop.dead_letters() == {}
    shop.advance(by=HOUR)
    assert [mail.recipients[0] for mail in shop.mail].count("cat@example.com") == 1


def test_missed_slots_of_schedules_are_dropped_and_made_up_for(cloud: LocalCloud) -> None:
    with broken(cloud, "tick"):
        post_batch(cloud, SIGN_UP)
        cloud.advance(by=timedelta(minutes=20))
    assert len(cloud.dead_letters()["schedules-dlq"]) > 0
    assert "dropped" in regulars(cloud, "redrive", "--queue", "schedules")
    assert cloud.dead_letters() == {}
    cloud.advance(by=timedelta(minutes=2))
    assert [mail.recipients[0] for mail in cloud.mail] == ["cat@example.com"]


def test_a_counter_that_a_new_program_asks_for_gets_its_history(shop: LocalCloud, tmp_path: Path) -> None:
    """Who is in the new segment by what they did before is in it silently."""
    program = tmp_path / "program"
    shutil.copytree(ROOT / "program", program)
    deploy_lookers(shop, program)
    assert (
        document(shop, node_id(NodeKind.ANONYMOUS, "browser-1"), "PROFILE").get("c", {}).get("Product Viewed") is None
    )
    assert "1 rebuilt" in regulars(shop, "rebuild", "--all", program=program)
    assert document(shop, ANN, "STATE")["memberships"]["looker"][1] == "rebuild"
    shop.advance(by=DAY)
    assert len(shop.mail) == 2


def deploy_lookers(cloud: LocalCloud, program: Path) -> None:
    """Deploy a program with a segment that counts an event which was not counted before, and a campaign on it."""
    segments = yaml.safe_load((program / "segments.yaml").read_text())
    rule = {"count": "Product Viewed", "within": "30d", "at_least": 1}
    segments["segments"].append({"name": "looker", "rule": rule})
    (program / "segments.yaml").write_text(yaml.safe_dump(segments))
    campaigns = yaml.safe_load((program / "campaigns.yaml").read_text())
    hello = {"name": "hello", "channel": "email", "template": "welcome", "segment": "looker", "once_per": "customer"}
    campaigns["campaigns"].append(hello)
    (program / "campaigns.yaml").write_text(yaml.safe_dump(campaigns))
    for name in ("update_customers", "evaluate_customers", "send_messages"):
        cloud.functions.configure(name, PROGRAM_PATH=str(program))


def test_the_night_finds_and_mends_what_differs(shop: LocalCloud) -> None:
    """The function, with its sample event; the second night there is nothing."""
    event = json.loads((ROOT / "events" / "reconcile" / "nightly.json").read_text())
    shop.functions.configure("reconcile", RECONCILE_SLICES="1")
    shop.advance(by=2 * HOUR)
    before, mails = customers(shop), len(shop.mail)
    vandalise(shop)
    first = shop.invoke("reconcile", event)
    shop.settle()
    assert (first["complete"], first["different"], first["missing"], first["rebuilt"]) == (True, 2, 1, 3)
    assert customers(shop) == before
    second = shop.invoke("reconcile", event)
    assert (second["nodes"], second["different"], second["missing"], second["rebuilt"]) == (first["nodes"], 0, 0, 0)
    assert len(shop.mail) == mails
    assert shop.metric("ProjectionDrift") == 3


def test_reconcile_by_hand_tells_before_it_mends(shop: LocalCloud) -> None:
    shop.advance(by=2 * HOUR)
    vandalise(shop)
    assert "2 different, 1 missing, 0 rebuilt" in regulars(shop, "reconcile", "--no-repair")
    halves = [regulars(shop, "reconcile", "--sample", "2", "--share", share) for share in ("0", "1")]
    assert sum(int(told.split(" rebuilt")[0].rpartition(" ")[2]) for told in halves) == 3


def test_a_rejected_event_is_replayed_into_the_profile_once(cloud: LocalCloud) -> None:
    """Two different events under one id: the second is a bad row until an operator says that it is an event."""
    same = {"type": "track", "userId": "ann", "event": "Product Viewed", "messageId": "m1"}
    post_batch(cloud, [same, same | {"event": "Product Added"}])
    cloud.settle()
    assert document(cloud, ANN, "PROFILE")["n"] == 1
    assert "1 replayed" in regulars(cloud, "replay-bad", "--code", "id_collision")
    assert document(cloud, ANN, "PROFILE")["n"] == 2
    assert "0 replayed" in regulars(cloud, "replay-bad", "--code", "id_collision")
    assert document(cloud, ANN, "PROFILE")["n"] == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["rebuild"], "say either --all or --customer"),
        (["rebuild", "--customer", "nonsense"], "an identifier is a node id"),
        (["redrive", "--queue", "nobody"], "is not one of"),
        (["redrive", "--stack", "another"], "there is no queue another-events"),
    ],
)
def test_a_mistake_is_named_in_a_line(cloud: LocalCloud, arguments: list[str], error: str) -> None:
    environment = {"TABLE_NAME": cloud.table_name, "BUCKET_NAME": cloud.bucket_name}
    result = CliRunner().invoke(main, arguments, env=environment)
    assert result.exit_code != 0
    assert error in result.output
