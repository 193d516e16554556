"""Units for people: the package computes in SI units, and prints engineering prefixes."""

import math

# `u` is micro, as in SPICE; mega is `M` here (SPICE's `MEG` never leaves a deck).
_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def engineering(value: float | None, unit: str, digits: int = 4) -> str:
    """Text of a value with an engineering prefix, e.g. ``engineering(1.3e-13, "J") == "130 fJ"``.

    ``None`` and NaN print as ``"n/a"``: a missing value never prints as a number.

    Args:
        value: value in SI units, or ``None``.
        unit: symbol of the SI unit.
        digits: significant digits.
    """
    if value is None or math.isnan(value):
        return "n/a"
    if value == 0.0 or math.isinf(value):
        return f"{value:g} {unit}"
    exponent = 3 * math.floor(math.log10(abs(value)) / 3)
    exponent = min(max(exponent, -18), 12)
    scaled = value / 10.0**exponent
    # Rounding can carry into the next prefix: 999.99 fJ is 1 pJ.
    if abs(float(f"{scaled:.{digits}g}")) >= 1000 and exponent < 12:
        exponent += 3
        scaled = value / 10.0**exponent
    return f"{scaled:.{digits}g} {_PREFIXES[exponent]}{unit}"


def celsius_to_kelvin(temperature_c: float) -> float:
    """Absolute temperature in K; ``temperature_c``: temperature in degrees Celsius."""
    return temperature_c + 273.15


def clock(seconds: float) -> str:
    """Duration as minutes and seconds, or hours, minutes and seconds: ``2:05``, ``1:02:05``; ``seconds``: duration in s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
