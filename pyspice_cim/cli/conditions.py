"""Places in a table on the command line: ``--at axis=value``, ``--label axis=label``."""

from collections.abc import Sequence

from pyspice_cim.errors import ConfigError


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """``["a=b", ...]`` as a mapping.

    Raises:
        ConfigError: if one has no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise ConfigError(f"{option} {each}: write it as {option} axis=value, e.g. {option} rows=64")
        if name in found:
            raise ConfigError(f"{option} {each}: {name} is given twice; keep one")
        found[name] = value
    return found


def numbers(option: str, given: Sequence[str], **more: float | None) -> dict[str, float]:
    """As ``pairs``, with numbers; ``more`` are those of options of their own, as far as they were given.

    Raises:
        ConfigError: if a value is no number, and as ``pairs``.
    """
    found = {name: value for name, value in more.items() if value is not None}
    for name, text in pairs(option, given).items():
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{option} {name}={text}: {text!r} is no number") from None
        if name in found:
            raise ConfigError(f"{option} {name}={text}: {name} is given twice; keep one")
        found[name] = value
    return found
