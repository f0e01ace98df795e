# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Our operations and the sandbox's schema against the vendor's published schemas."""

import pytest
from connectors.sandboxes import shopify as sandbox
from connectors.shopify import client, const
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType
from shopify_contract import VERSIONS, load, problems_of_answer, problems_of_operation


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("operation", sorted(client.OPERATIONS))
def test_operation_is_valid_and_uses_nothing_deprecated(contracts, version, operation):
    """Every document we send is valid in the version we use and in the one before."""
    assert problems_of_operation(load(contracts, version), client.OPERATIONS[operation]) == []


def test_version_we_send_is_one_that_is_checked():
    assert const.API_VERSION == VERSIONS[-1]


@pytest.mark.parametrize("version", VERSIONS)
def test_sandbox_serves_a_part_of_the_vendors_schema(contracts, version):
    """Each type, field, argument and enum value of the sandbox exists at the vendor with the same type."""
    theirs = load(contracts, version)
    wrong = []
    for name, kind in sandbox.SCHEMA.type_map.items():
        other = theirs.type_map[name]
        if isinstance(kind, GraphQLEnumType):
            wrong += [f"{name}.{value}" for value in set(kind.values) - set(other.values)]
        if isinstance(kind, (GraphQLObjectType, GraphQLInputObjectType)) and not name.startswith("__"):
            for field, ours in kind.fields.items():
                same = field in other.fields and str(ours.type) == str(other.fields[field].type)
                args = getattr(ours, "args", {})
                same = same and all(str(arg.type) == str(other.fields[field].args[n].type) for n, arg in args.items())
                wrong += [] if same else [f"{name}.{field}"]
    assert wrong == []


def test_answer_checker_sees_what_is_wrong(contracts):
    """The checker itself: a null, a wrong scalar, a wrong enum value and a missing field are all found."""
    schema, document = load(contracts, VERSIONS[-1]), client.OPERATIONS["Shipments"]
    line = {"id": "gid://shopify/X/1", "remainingQuantity": "2", "lineItem": None}
    lines = {"nodes": [line], "pageInfo": {}}
    ship = {"id": "1", "status": "SENT", "assignedLocation": {"location": None}, "lineItems": lines}
    data = {"order": {"fulfillments": [], "fulfillmentOrders": {"nodes": [ship]}}}
    found = list(problems_of_answer(schema, document, {}, data))
    assert len([x for x in found if "$id" in x]) == 1  # the required variable is missing
    for part in ("'1' is no ID", "'SENT' is no FulfillmentOrderStatus", "'2' is no Int", "lineItem is null"):
        assert len([x for x in found if part in x]) == 1, part


@pytest.mark.parametrize("name", ["SetQuantities", "Activate"])
def test_inventory_mutations_carry_the_idempotency_directive(name):
    """Since 2026-04 they are refused without it, which the type system does not show."""
    assert "@idempotent(key: $key)" in client.OPERATIONS[name]
