"""Writer of TOML text, which the standard library does not have."""

import json
import re
from collections.abc import Mapping
from typing import Any


def toml_text(data: Mapping[str, Any]) -> str:
    """TOML text of ``data``: nested mappings, sequences, strings, numbers and booleans. ``None`` is left out.

    Mappings of the two upper levels become tables with headers. Deeper mappings become inline tables.

    Raises:
        TypeError: for a value of any other type.
    """
    return "\n".join(_table((), data)).strip() + "\n"


def _table(path: tuple[str, ...], data: Mapping[str, Any]) -> list[str]:
    nested = {key: value for key, value in data.items() if isinstance(value, Mapping) and len(path) < 2}
    plain = {key: value for key, value in data.items() if key not in nested and value is not None}
    lines = []
    if path and (plain or not nested):
        lines += ["", f"[{'.'.join(_key(part) for part in path)}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in nested.items():
        lines += _table((*path, key), value)
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string.
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"{type(value).__name__} has no TOML form")
