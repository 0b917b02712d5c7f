"""The JSON Schema of a policy's file, for editors: made from the model, a description on every key."""

from __future__ import annotations

from typing import Any

from loganon.policy.model import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12)."""
    schema = Policy.model_json_schema(by_alias=True)
    parts = schema.get("$defs", {})
    for part in (schema, *parts.values()):
        for name, key in part.get("properties", {}).items():
            part["properties"][name] = _plain(key, parts)
        if "description" in part:
            part["description"] = part["description"].split("\n\n")[0].replace("\n", " ")
        part.pop("title", None)
    return {"$schema": DIALECT, "title": "A policy of loganon", **schema}


def _plain(key: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """A key as an editor wants it: TOML has no null, and a default table stands key by key in its own part."""
    choices = [each for each in key.get("anyOf", ()) if each.get("type") != "null"]
    found = {name: value for name, value in key.items() if name not in ("anyOf", "title")}
    if "anyOf" in key:
        found.pop("default", None)
        found |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    if found.get("type") == "array" and "$ref" in found.get("items", {}):
        found.pop("default", None)
        found["description"] = parts[found["items"]["$ref"].rpartition("/")[2]].get("description", "")
    reference = found.get("$ref")
    if reference:
        part = parts[reference.rpartition("/")[2]]
        found.pop("default", None)
        found["description"] = part.get("description", "")
    return found
