"""Reading customers out of the local cloud for pages that show them: profile, segments, messages and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from infra.local.functions import REPOSITORY
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.ledger import DynamoLedger
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.system import SystemClock
from regulars.domain.components import partition
from regulars.domain.customer import Customer, customer_of

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud
    from regulars.domain.profile import Trait
    from regulars.domain.sends import SendRecord
    from regulars.domain.state import CustomerState
    from regulars.domain.stored import Head


@dataclass(frozen=True, slots=True)
class Story:
    """One customer: `nodes` are all its identifiers, `sends` its messages sent and withheld, oldest first."""

    customer: Customer
    state: CustomerState | None
    nodes: tuple[str, ...]
    sends: tuple[SendRecord, ...]

    @property
    def traits(self) -> dict[str, Any]:
        return {name: trait.value for name, trait in self.customer.profile.traits.items()}

    @property
    def provenance(self) -> list[tuple[str, Trait]]:
        """Each trait with where it came from and when, by name."""
        return sorted(self.customer.profile.traits.items())

    @property
    def name(self) -> str:
        """What a person would call this customer."""
        return str(self.traits.get("first_name") or self.traits.get("email") or self.customer.root[:14])


class Customers:
    """The customers of one cloud as they are now."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        client = cloud.client("dynamodb")
        self._store = DynamoCustomerStore(client, cloud.table_name)
        self._ledger = DynamoLedger(client, cloud.table_name)
        self._programs = S3ProgramStore(
            cloud.client("s3"), cloud.bucket_name, REPOSITORY / "program", clock=SystemClock(), max_age=timedelta(0)
        )

    def stories(self) -> list[Story]:
        """Every customer, the one seen last first."""
        with self._cloud.lock:
            heads = dict(self._store.scan())
            links = {node: head.links for node, head in heads.items()}
            roots = partition(links, self._programs.current().identity)
            stories = [self._story(root, members, heads) for root, members in roots.items()]
        return sorted(stories, key=lambda story: cast("datetime", story.customer.value("last_seen")), reverse=True)

    def story(self, node: str) -> Story | None:
        """The customer that a node belongs to, or None where nothing is known of it."""
        return next((story for story in self.stories() if node in story.nodes), None)

    def _story(self, root: str, members: frozenset[str], heads: dict[str, Head]) -> Story:
        program = self._programs.current().compiled
        fragments = [heads[node].fragment(node) for node in sorted(members) if node in heads]
        now = SystemClock().now()
        customer = customer_of(root, fragments, program.terms, now=now)
        stored = heads[root].state if root in heads else None
        sends = sorted(
            (record for node in members if node[0] in "ep" for record in self._ledger.sends(node)),
            key=lambda record: record.decided_at,
        )
        return Story(customer, stored.value if stored else None, tuple(sorted(members)), tuple(sends))
