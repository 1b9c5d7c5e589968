#!/usr/bin/env python3
"""Turns an API server's OpenAPI description into the JSON schemas that kubeconform reads, one per kind.

    kubectl get --raw /openapi/v2 | schemas.py DIR

Strict: a field that the API does not know is an error. Kinds of custom resources that the server has are there as well.
"""
import json
import pathlib
import sys


def strict(node):
    """Objects of listed fields have no others; no field may be null by itself."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: strict(value) for key, value in node.items()}
    if out.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    if "properties" in node and "additionalProperties" not in node and isinstance(node["properties"], dict):
        out["additionalProperties"] = False
    ref = out.get("$ref")
    if isinstance(ref, str):
        out["$ref"] = ref.replace("#/definitions/", "_definitions.json#/definitions/")
    return out


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    definitions = strict(json.load(sys.stdin)["definitions"])
    (directory / "_definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(part for part in (kind["kind"].lower(), group, kind["version"].lower()) if part)
            (directory / f"{file}.json").write_text(json.dumps({"$ref": f"_definitions.json#/definitions/{name}"}))


main()
