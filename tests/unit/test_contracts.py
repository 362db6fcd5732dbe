"""The registry of event contracts: valid, immutable, and each version only wider than the one before."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regulars.adapters.contract_checker import JsonSchemaContracts
from regulars.adapters.contract_files import SUMS, all_contracts, newest_contracts, sums
from regulars.domain.contracts import BREAKING, narrowings, slug_of
from regulars.domain.errors import BadInputError
from regulars.domain.events import EventType
from tests.lake_samples import CONTRACTS, an_event
from tests.world import World

REGISTRY = all_contracts(CONTRACTS)
ACTED_UPON = (
    "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started", "Order Completed",
    "Consent Updated", "Survey Answered", "Identify", "Page Viewed", "Order", "Product", "Ticket Opened",
    "Ticket Updated", "Ticket Closed", "Live Chat Conversation Started", "Live Chat Conversation Ended", "Mentioned",
    "Product Reviewed", "Traits Enriched",
)  # fmt: skip


class TestRegistry:
    @pytest.mark.parametrize("name", ACTED_UPON)
    def test_what_rules_and_messages_rest_on_has_a_contract(self, name: str) -> None:
        assert REGISTRY[name][-1].schema["description"]

    @pytest.mark.parametrize("name", REGISTRY)
    def test_every_version_is_a_json_schema_of_an_events_parts(self, name: str) -> None:
        for contract in REGISTRY[name]:
            assert contract.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
            jsonschema_rs.meta.validate(dict(contract.schema))
            assert set(contract.schema["properties"]) <= {"properties", "traits"}
            assert all(contract.fields().values())

    def test_a_published_version_never_changes(self) -> None:
        """SHA256SUMS grows by a line for each new version; `sha256sum -c` reads it, too."""
        assert (CONTRACTS / SUMS).read_text() == sums(CONTRACTS)

    @pytest.mark.parametrize("name", REGISTRY)
    def test_the_next_version_only_widens_or_says_that_it_breaks(self, name: str) -> None:
        versions = REGISTRY[name]
        for old, new in pairwise(versions):
            assert new.schema.get(BREAKING) is True or not list(narrowings(old.schema, new.schema))

    def test_the_canonical_order_keeps_its_contract(self) -> None:
        checker = JsonSchemaContracts(newest_contracts(CONTRACTS))
        order = World().order("o1")
        assert checker.broken(order) is None
        broken = checker.broken(an_event(1, type=EventType.ORDER, properties={**order.properties, "total_minor": -1}))
        assert broken == ("order@1", ["minimum:/properties/total_minor"])


class TestLoading:
    def written(self, folder: Path, files: dict[str, Any]) -> Path:
        for name, document in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document if isinstance(document, str) else json.dumps(document))
        return folder

    def test_the_highest_version_is_in_force(self, tmp_path: Path) -> None:
        versions = {f"seen/{number}.json": {"title": "Seen", "x": number} for number in range(1, 12)}
        assert newest_contracts(self.written(tmp_path, versions))["Seen"].label == "seen@11"

    @pytest.mark.parametrize(
        ("files", "problem"),
        [
            ({}, "no contracts there"),
            ({"seen/1.json": "{"}, "seen/1.json: no JSON object with a title"),
            ({"seen/1.json": []}, "seen/1.json: no JSON object with a title"),
            ({"seen/1.json": {"title": 7}}, "seen/1.json: its title must be"),
            ({"seen/1.json": {"title": "Heard"}}, "seen/1.json: its title must be"),
            ({"seen/2.json": {"title": "Seen"}}, "seen: versions are 1, 2, ... without a gap"),
            ({"seen/one.json": {"title": "Seen"}}, "seen/one.json: a version is a number"),
            ({"seen/1.json": {"title": "Seen"}, "seen/2.json": {"title": "SEEN"}}, "seen: its versions have different"),
        ],
    )
    def test_a_mistake_in_the_registry_is_named(self, tmp_path: Path, files: dict[str, Any], problem: str) -> None:
        with pytest.raises(BadInputError) as caught:
            all_contracts(self.written(tmp_path, files))
        assert problem in caught.value.detail

    @pytest.mark.parametrize(
        ("name", "slug"),
        [("Product Added", "product-added"), ("NPS: asked!", "nps-asked"), ("page_view", "page-view")],
    )
    def test_a_name_makes_a_folder(self, name: str, slug: str) -> None:
        assert slug_of(name) == slug


def field(**schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}}


class TestWidening:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"required": ["a"]}, {}),
            (field(type="integer"), field(type="number")),
            (field(type="string"), field(type=["string", "null"])),
            (field(minimum=1, maximum=5), field(minimum=0, maximum=10)),
            (field(enum=["a"]), field(enum=["a", "b"])),
            (field(enum=["a"]), field()),
            (field(pattern="a"), field()),
            (field(items={"minLength": 2}), field(items={"minLength": 1})),
            ({"title": "x", "description": "y"}, {"title": "x", "description": "z"}),
            ({"properties": {}, "additionalProperties": False}, {"properties": {"b": {"type": "string"}}}),
            (field(type="string"), {"type": "object"}),
        ],
    )
    def test_what_asks_for_less_widens(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        assert list(narrowings(old, new)) == []

    @pytest.mark.parametrize(
        ("old", "new", "place"),
        [
            ({}, {"required": ["a"]}, "/required/a"),
            (field(type="number"), field(type="integer"), "/properties/a/type"),
            (field(), field(type="string"), "/properties/a/type"),
            ({"type": "object"}, field(type="string"), "/properties/a/type"),
            (field(minimum=0), field(minimum=1), "/properties/a/minimum"),
            (field(), field(maxLength=5), "/properties/a/maxLength"),
            (field(enum=["a", "b"]), field(enum=["a"]), "/properties/a/enum"),
            (field(pattern="a"), field(pattern="b"), "/properties/a/pattern"),
            (field(items={}), field(items={"minLength": 1}), "/properties/a/items/minLength"),
            ({}, {"additionalProperties": False}, "/additionalProperties"),
            (
                {"properties": {"a": {}}, "additionalProperties": False},
                {"properties": {}, "additionalProperties": False},
                "/properties/a",
            ),
        ],
    )
    def test_what_asks_for_more_is_named(self, old: dict[str, Any], new: dict[str, Any], place: str) -> None:
        assert list(narrowings(old, new)) == [place]


_LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", ["string", "integer"]]),
        "minimum": st.integers(0, 3),
        "maximum": st.integers(2, 5),
        "maxLength": st.integers(0, 3),
        "enum": st.lists(st.sampled_from(["", "x", "long text", 1, 4]), min_size=1, max_size=4),
    },
)
_SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from("ab"), _LEAVES)},
    optional={"required": st.lists(st.sampled_from("ab"), unique=True), "additionalProperties": st.just(value=False)},
)
_VALUES = st.sampled_from(["", "x", "long text", 0, 1, 4, 9, 2.5, None, True])
_DOCUMENTS = st.lists(st.dictionaries(st.sampled_from("abc"), _VALUES), min_size=5, max_size=20)


@settings(max_examples=40)
@given(_SCHEMAS, _SCHEMAS, _DOCUMENTS)
def test_what_was_right_is_right_under_a_version_that_only_widens(
    old: dict[str, Any], new: dict[str, Any], documents: list[dict[str, Any]]
) -> None:
    """Whatever the checker lets pass as a widening is one."""
    assume(not list(narrowings(old, new)))
    before, after = jsonschema_rs.validator_for(old), jsonschema_rs.validator_for(new)
    assert all(after.is_valid(document) for document in documents if before.is_valid(document))
