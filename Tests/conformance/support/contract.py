"""The contract and the routes of the sources, as data that tests compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from .daemon import REPOSITORY

CONTRACT: dict[str, Any] = yaml.safe_load((REPOSITORY / "api/openapi.yaml").read_text())
METHODS = ("get", "put", "post", "patch", "delete")

#: Every operation as (method, path).
OPERATIONS = [(method, path) for path, item in CONTRACT["paths"].items() for method in item if method in METHODS]

_ROUTE = re.compile(r'Route\(\s*\.(\w+),\s*"([^"]+)"(?:,\s*suffixes:\s*(\[[^\]]*\]|[\w.]+))?')


def named(path: str, model: str) -> str:
    """The path with values that exist in a test's model."""
    values = {
        "model": model,
        "group": "default",
        "parameter": "w",
        "slug": "not-found",
        "worker": "w1",
        "seq": "1",
        "barrier": "b1",
    }
    return path.format(**values, version="00000000-1", checkpoint="1")


def anonymous(path: str) -> str:
    """The path without the names of its arguments, which differ between the contract and the sources."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def routes() -> set[tuple[str, str]]:
    """Every row of the route table, with each suffix as a separate operation."""
    sources = REPOSITORY / "Sources/ParameterAPI"
    table = (sources / "Routing/Routes.swift").read_text()
    found = _ROUTE.findall(table)
    assert len(found) == table.count("Route("), (
        "a row of the route table is written in a way that this pattern does not match"
    )
    enumerations = "".join(path.read_text() for path in sorted(sources.rglob("*.swift")))
    forms = {
        f"{name}.formats": re.findall(r"^    case (\w+)$", cases, re.MULTILINE)
        for name, cases in re.findall(r"^enum (\w+): String, AnswerForm \{\n(.*?)\n\n", enumerations, re.M | re.S)
    }
    rows = set()
    for method, path, suffixes in found:
        endings = forms[suffixes] if suffixes in forms else re.findall(r"\w+", suffixes)
        rows |= {(method, anonymous(path) + ending) for ending in ("", *(f".{ending}" for ending in endings))}
    return rows


def arguments(method: str, path: str) -> dict[str, dict[str, Any]]:
    """The arguments of an operation outside its body, by name."""
    item = CONTRACT["paths"][path]
    parameters = [resolve(each) for each in (*item.get("parameters", ()), *item[method].get("parameters", ()))]
    return {each["name"]: each for each in parameters}


def query_arguments(method: str, path: str) -> set[str]:
    """The query arguments of an operation."""
    return {name for name, each in arguments(method, path).items() if each["in"] == "query"}


def unsuffixed(path: str) -> str:
    """The path without the suffix that only chooses a form of the answer."""
    return re.sub(r"\.\w+$", "", path)


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Resolves a `$ref`."""
    while "$ref" in schema:
        _, _, section, name = schema["$ref"].split("/")
        schema = CONTRACT["components"][section][name]
    return schema


def body_schema(method: str, path: str) -> dict[str, Any]:
    """The schema of an operation's JSON body."""
    return CONTRACT["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value matches the schema."""
    return Draft202012Validator({**schema, "components": CONTRACT["components"]}).is_valid(value)


def alternatives(schema: dict[str, Any], place: str, seen: set[int]) -> Iterator[tuple[int, int, str]]:
    """Every branch of every anyOf and oneOf that can apply to a body, with a description of its place."""
    if "$ref" in schema:
        place = schema["$ref"].rsplit("/", 1)[1]
    schema = resolve(schema)
    if id(schema) in seen:
        return
    seen.add(id(schema))
    for keyword in ("anyOf", "oneOf"):
        for index, _ in enumerate(schema.get(keyword, ())):
            yield id(schema[keyword]), index, f"{place} {keyword}[{index}]"
    for inner, name in _inner(schema):
        yield from alternatives(inner, f"{place}/{name}", seen)


def _inner(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for keyword in ("anyOf", "oneOf", "allOf"):
        for index, each in enumerate(schema.get(keyword, ())):
            yield each, f"{keyword}[{index}]"
    for name, each in schema.get("properties", {}).items():
        yield each, name
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword], keyword


def taken(schema: dict[str, Any], value: Any) -> Iterator[tuple[int, int]]:
    """The branches that match a value."""
    schema = resolve(schema)
    for keyword in ("anyOf", "oneOf"):
        for index, branch in enumerate(schema.get(keyword, ())):
            if is_valid(branch, value):
                yield id(schema[keyword]), index
                yield from taken(branch, value)
    for branch in schema.get("allOf", ()):
        yield from taken(branch, value)
    for inner, member in _members(schema, value):
        yield from taken(inner, member)


def _members(schema: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield inner, member
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for element in value:
            yield schema["items"], element
