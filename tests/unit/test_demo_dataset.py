"""The demo's reader: the real year as order documents, exact to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from infra.demo.dataset import (
    LAST_ORDER_AT,
    SHIFT,
    data_folder,
    first_seen,
    households,
    last_baskets,
    read_lines,
    split,
)
from infra.demo.history import write_files
from infra.demo.people import consent_rows, customer_row, person
from regulars.adapters.program_files import parsed_yaml
from regulars.domain.identity import normalised_email, normalised_phone
from regulars.domain.importing.orders import unit_price
from regulars.domain.instants import from_millis, to_millis
from tests.importing.samples import Importer

ROOT = Path(__file__).parents[2]


def mapping_of(name: str) -> Any:
    """A mapping of the demo."""
    path = ROOT / "infra" / "demo" / "mappings" / f"{name}.yaml"
    return parsed_yaml(path.read_text(encoding="utf-8"), name=path.name)


NEW_YEAR = datetime(2017, 1, 1, 10, 30)  # noqa: DTZ001 - as the data has it


def lines(*rows: tuple[int, int, int, int, float, float]) -> pa.Table:
    """Transactions of (household, basket, product, quantity, sales, coupon); a basket's number says its day."""
    columns: dict[str, list[Any]] = {
        "household_id": [row[0] for row in rows],
        "basket_id": [row[1] for row in rows],
        "product_id": [row[2] for row in rows],
        "quantity": [row[3] for row in rows],
        "sales_value": [row[4] for row in rows],
        "retail_disc": [0.1 for _ in rows],
        "coupon_disc": [row[5] for row in rows],
        "coupon_match_disc": [0.0 for _ in rows],
        "transaction_timestamp": [NEW_YEAR + timedelta(days=row[1] % 100) for row in rows],
    }
    return pa.table(columns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small data set with the real one's columns and gaps."""
    transactions = lines(
        (9, 201, 1, 3, 1.00, 0.0),
        (7, 102, 2, 1, 0.29, 0.5),
        (7, 101, 1, 2, 8.61, 0.0),
        (7, 101, 404, 0, 0.57, 0.0),
    )
    products = pa.table(
        {"product_id": [1, 2], "product_type": ["OAT/RICE MILK", None], "product_category": ["MILK", None]}
    )
    redemptions = pa.table(
        {
            "household_id": [7],
            "coupon_upc": [51380041013],
            "campaign_id": [26],
            "redemption_date": [(NEW_YEAR + timedelta(days=2)).replace(hour=0, minute=0)],
        }
    )
    for name, table in (("transactions", transactions), ("products", products), ("coupon_redemptions", redemptions)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    return tmp_path


def test_baskets_become_orders_of_whole_households_oldest_first(folder: Path) -> None:
    found = [(home.user_id, [order["order_id"] for order in home.orders]) for home in households(read_lines(folder))]
    assert found == [("7", ["101", "102"]), ("9", ["201"])]


def test_amounts_are_cents_and_the_total_is_the_sum_of_the_lines(folder: Path) -> None:
    first, second = next(households(read_lines(folder))).orders
    assert (first["total_minor"], first["discount_minor"], first["currency"]) == (918, 20, "USD")
    assert (second["total_minor"], second["discount_minor"]) == (29, 60)


def test_lines_name_their_products_even_those_that_the_list_lacks(folder: Path) -> None:
    first, second = next(households(read_lines(folder))).orders
    assert first["products"] == [
        {"product_id": "1", "name": "Oat / Rice Milk", "category": "Milk", "quantity": 2, "price_minor": 431},
        {"product_id": "404", "name": "Product 404", "category": "Other", "quantity": 0, "price_minor": 57},
    ]
    assert second["products"][0]["name"] == "Product 2"


def test_coupons_are_those_redeemed_on_the_day_by_the_household(folder: Path) -> None:
    first, second = next(households(read_lines(folder))).orders
    assert (first["coupons"], second["coupons"]) == ([], ["51380041013"])


def test_time_moves_by_whole_weeks_and_keeps_the_clock(folder: Path) -> None:
    first = next(households(read_lines(folder))).orders[0]
    placed = from_millis(first["placed_at"])
    assert placed == (NEW_YEAR + timedelta(days=1)).replace(tzinfo=UTC) + SHIFT
    assert SHIFT % timedelta(weeks=1) == timedelta(0)
    assert first["version"] == first["placed_at"]


def test_the_year_is_cut_and_what_was_bought_last_is_remembered(folder: Path) -> None:
    table = read_lines(folder)
    cut = to_millis((NEW_YEAR + timedelta(days=1, hours=1)).replace(tzinfo=UTC) + SHIFT)
    past, live = split(table, cut)
    assert [order["order_id"] for home in households(live) for order in home.orders] == ["102"]
    assert {home.user_id for home in households(past)} == {"7", "9"}
    last = [[order["order_id"] for order in home.orders] for home in households(last_baskets(table))]
    assert last == [["102"], ["201"]]
    assert first_seen(table) == dict.fromkeys(
        (7, 9), to_millis((NEW_YEAR + timedelta(days=1)).replace(tzinfo=UTC) + SHIFT)
    )


def test_the_files_of_the_past_import_without_a_bad_row(folder: Path, tmp_path: Path) -> None:
    """By the demo's own mappings; the orders are those that the reader makes of the same lines."""
    write_files(folder, tmp_path, LAST_ORDER_AT)
    run = Importer(tmp_path, now=LAST_ORDER_AT)
    report = run(mapping_of("lines"), tmp_path / "lines.parquet", max_bad=0)
    assert (report.rows, report.events) == (4, 3)
    made = {order["order_id"]: order for home in households(read_lines(folder)) for order in home.orders}
    for event in run.events():
        expected = made[event.properties["order_id"]]
        assert {name: event.properties[name] for name in expected} == expected
        assert event.timestamp == from_millis(expected["placed_at"])
    for name in ("customers", "consents"):
        run(mapping_of(name), tmp_path / f"{name}.csv", max_bad=0)


def test_a_unit_price_is_rounded_half_up() -> None:
    assert [unit_price(100, 3), unit_price(5, 2), unit_price(57, 0)] == [33, 3, 57]


def test_the_published_totals_are_in_the_package() -> None:
    """Lines, baskets, households and sales as the issue states them, by pyarrow alone; every amount a whole cent."""
    table = pq.read_table(
        data_folder() / "transactions.parquet",
        columns=["basket_id", "household_id", "sales_value", "transaction_timestamp"],
    )
    scaled = pc.multiply(table.column("sales_value"), 100.0)
    cents = pc.round(scaled)
    assert pc.max(pc.abs(pc.subtract(scaled, cents))).as_py() < 1e-6
    assert table.num_rows == 1_469_307
    assert pc.count_distinct(table.column("basket_id")).as_py() == 155_848
    assert pc.count_distinct(table.column("household_id")).as_py() == 2_469
    assert pc.sum(pc.cast(cents, pa.int64())).as_py() == 459_603_958
    last = pc.max(table.column("transaction_timestamp")).as_py()
    assert last.replace(tzinfo=UTC) + SHIFT == LAST_ORDER_AT


def test_made_up_people_are_always_the_same_and_reachable_nowhere() -> None:
    people = [person(str(number)) for number in range(1, 2_500)]
    assert people == [person(str(number)) for number in range(1, 2_500)]
    emails = [someone.email for someone in people if someone.email]
    assert {email.partition("@")[2] for email in emails} <= {"example.com", "example.org", "example.net", "mail.test"}
    assert [normalised_email(email) for email in emails] == emails
    phones = [someone.phone for someone in people if someone.phone]
    assert {phone[5:10] for phone in phones} == {"55501"}
    assert [normalised_phone(phone) for phone in phones] == phones
    assert (len(set(emails)), len(set(phones))) == (len(emails), len(phones))
    assert 0.55 < len(emails) / len(people) < 0.75


def test_an_export_states_contacts_and_each_answer_once() -> None:
    since = LAST_ORDER_AT - timedelta(days=300)
    for number in range(1, 200):
        someone = person(str(number))
        answers = [(row["channel"], row["answer"]) for row in consent_rows(someone, since)]
        said = {"email": someone.email_consent, "sms": someone.sms_consent}
        assert dict(answers) == {name: "yes" if told else "no" for name, told in said.items() if told is not None}
        assert len(answers) == len(dict(answers))
        row = customer_row(someone, since)
        assert (row is None) == (someone.email is None and someone.phone is None)
