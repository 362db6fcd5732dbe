"""Every AWS call of every function is crossed, and a function may be killed at each (`make soak` does all)."""

from __future__ import annotations

import pytest

from tests.infra.test_privileges import ACTIONS, NOT_FROM_CODE
from tests.infra.test_template import FUNCTIONS, ROLES, STACK, statements
from tests.simulation.search import crashes, points, share_of

NOT_CROSSED = {
    ("evaluate_customers", "s3:ListBucket"),  # only a permission: tells a missing object from a forbidden one
    ("update_customers", "s3:ListBucket"),
    ("refresh", "s3:ListBucket"),
    ("update_customers", "s3:PutObject"),  # bad rows of a machine's flood: tests/unit/test_step.py
    ("monitor", "s3:GetObject"),  # there was nothing yesterday: tests/local/test_quality.py
    ("monitor", "sqs:SendMessage"),  # Lambda's, where a night fails
    ("snapshot", "s3:ListBucket"),
    ("snapshot", "sqs:SendMessage"),
    ("survey", "secretsmanager:GetSecretValue"),  # as unsubscribe, without a table: tests/unit/test_survey_page.py
    ("survey", "sqs:SendMessage"),
    ("fetch_shop", "sqs:SendMessage"),  # one call in, one out, and idempotent: tests/unit/shops/test_bigcommerce.py
    ("fetch_shop", "secretsmanager:GetSecretValue"),
    ("reconcile", "s3:ListBucket"),
    ("admin", "s3:ListBucket"),
    ("admin", "dynamodb:BatchGetItem"),  # what changes nothing: tests/functions/test_admin.py
    ("admin", "dynamodb:Scan"),
}
"""What a role allows and an orderly day does not do, with where it is shown instead."""
_GROUPS = 4


def test_every_call_that_a_role_allows_is_crossed() -> None:
    """A new AWS call of a function that no enumerated schedule crosses fails here."""
    crossed = {
        (function, ACTIONS.get(operation, operation.replace(".", ":", 1))) for function, operation, _ in points()
    }
    folder_of = {
        given["Role"].rpartition("-")[2]: STACK.metadata(logical)["CodeFolder"] for logical, given in FUNCTIONS.items()
    }
    allowed = {
        (folder_of[logical], action)
        for logical, role in ROLES.items()
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        if action not in NOT_FROM_CODE
    }
    assert allowed - crossed <= NOT_CROSSED
    assert {(function, action) for function, action in crossed - allowed if action not in NOT_FROM_CODE} == set()


@pytest.mark.parametrize("group", range(_GROUPS))
def test_a_function_may_be_killed_at_any_call(group: int) -> None:
    """Here after the first call of each kind that changes anything, when nobody has noted it, and after some others."""
    chosen = share_of(points(), 40)[group::_GROUPS]
    assert [
        (outcome.replay(), outcome.violations) for outcome in crashes(chosen, before=False) if outcome.violations
    ] == []
