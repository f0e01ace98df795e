# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Shopify's own schemas: are our operations valid, and are the sandbox's answers what they promise?"""

import functools
import gzip
import json
import re
from datetime import datetime

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    NoDeprecatedCustomRule,
    build_client_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values

VERSIONS = ("2026-07", "2026-10")


def is_number(value):
    return isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d+)?", value))


def is_moment(value):
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


SCALARS = {
    "ID": lambda value: isinstance(value, str) and value.startswith("gid://shopify/"),
    "String": lambda value: isinstance(value, str),
    "Boolean": lambda value: isinstance(value, bool),
    "Int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "UnsignedInt64": lambda value: isinstance(value, str) and value.isdigit(),
    "Decimal": is_number,
    "Money": is_number,
    "DateTime": is_moment,
}


@functools.cache
def load(folder, version):
    with gzip.open(folder / "shopify" / f"admin_{version}.json.gz") as file:
        schema = json.load(file)["data"]["__schema"]
    # Six of its deprecations contradict each other, which strict building refuses.
    return build_client_schema({"__schema": schema}, assume_valid=True)


def problems_of_operation(schema, document):
    return [error.message for error in validate(schema, parse(document), [*specified_rules, NoDeprecatedCustomRule])]


def problems_of_answer(schema, document, variables, data):
    """What in variables and data contradicts the schema."""
    tree = parse(document)
    operation = next(x for x in tree.definitions if x.kind == "operation_definition")
    fragments = {x.name.value: x for x in tree.definitions if x.kind == "fragment_definition"}
    given = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(given, list):
        yield from (error.message for error in given)
    root = schema.mutation_type if operation.operation.value == "mutation" else schema.query_type
    yield from _walk(schema, fragments, root, [operation.selection_set], data, operation.name.value)


def _walk(schema, fragments, kind, selections, value, path):
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            yield f"{path} is null"
            return
        kind = kind.of_type
    if value is None:
        return
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for i, item in enumerate(value):
            yield from _walk(schema, fragments, kind.of_type, selections, item, f"{path}[{i}]")
    elif isinstance(kind, GraphQLEnumType):
        if value not in kind.values:
            yield f"{path}: {value!r} is no {kind.name}"
    elif isinstance(kind, GraphQLScalarType):
        if not SCALARS[kind.name](value):
            yield f"{path}: {value!r} is no {kind.name}"
    else:
        fields = {}
        for name, of, node in _fields(schema, fragments, kind, selections):
            deeper = [node.selection_set] if node.selection_set else []
            fields.setdefault(name, (of, node.name.value, []))[2].extend(deeper)
        if set(fields) != set(value) and value:
            yield f"{path} has {sorted(set(fields) ^ set(value))} too much or too little"
        for name, (of, field, deeper) in fields.items():
            if name in value:
                inner = of.fields[field].type
                yield from _walk(schema, fragments, inner, deeper, value[name], f"{path}.{name}")


def _fields(schema, fragments, kind, selections):
    """(name in the answer, type it belongs to, node); of an interface our operations ask for one type only."""
    for node in (node for selection in selections for node in selection.selections):
        if node.kind == "field":
            yield (node.alias or node.name).value, kind, node
        else:
            inner = fragments[node.name.value] if node.kind == "fragment_spread" else node
            of = schema.type_map[inner.type_condition.name.value] if isinstance(kind, GraphQLInterfaceType) else kind
            yield from _fields(schema, fragments, of, [inner.selection_set])
