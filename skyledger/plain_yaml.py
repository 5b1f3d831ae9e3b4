"""YAML of plain values, read strictly: every key once, nothing referred to, no objects.

The dictionary is data that decides what the database looks like, so a slip of the pen must not
pass silently, and a file from elsewhere must not be able to do anything but fail.
"""

from collections.abc import Hashable
from typing import Any

import yaml
from pydantic import ValidationError

# What reading and validating a file can raise; all of it means that the file is not valid.
FAULTS = (ValidationError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError)


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        # Nested aliases can grow a short file beyond all memory, and nothing here needs them.
        if node in self.constructed_objects:
            raise yaml.YAMLError(f"aliases are not allowed{node.start_mark}")
        return super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"key {key.value!r} stands twice{key.start_mark}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(text: str) -> dict[str, Any]:
    """Read a mapping from YAML.

    Raises
    ------
    yaml.YAMLError
        For what is not YAML, repeats a key, or holds aliases or tags.
    TypeError
        For YAML that is not a mapping at its top.
    """
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506  (a subclass of SafeLoader)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    if not isinstance(raw, dict):
        raise TypeError(f"expected keys with values, found {type(raw).__name__}")
    return raw


def records(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the list under ``key``: mappings, each with a name and a description in words."""
    if not isinstance(raw[key], list):
        raise TypeError(f"{key} should be a list")
    for number, record in enumerate(raw[key], start=1):
        if not isinstance(record, dict):
            raise TypeError(f"{key}: entry {number} should have keys and values, is {record!r}")
        for word in ("name", "description"):
            if not isinstance(record.get(word), str):
                raise TypeError(f"{key}: entry {record.get('name', number)} has no {word}")
    return list(raw[key])


def explain(error: Exception, names: list[str] | None = None) -> str:
    """Say what is wrong, on one line.

    ``names`` are the names of the records of the list that was validated, so that a fault names
    its record and not only the record's number.
    """
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    faults = []
    for fault in error.errors():
        where = [str(part) for part in fault["loc"]]
        if names and len(where) > 1 and where[1].isdigit():
            where[1] = names[int(where[1])]
        faults.append(f"{'.'.join(where) or 'whole'}: {fault['msg']}")
    return "; ".join(faults)
