"""Units at the edges: SI floats inside the package, engineering prefixes for people."""

import math

# `u` is micro, as in SPICE; mega is `M` here (SPICE's `MEG` never leaves a deck).
_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def engineering(value: float | None, unit: str, digits: int = 4) -> str:
    """Format an SI ``value`` with an engineering prefix, e.g. ``engineering(1.3e-13, "J") == "130 fJ"``.

    ``None`` and NaN print as ``"n/a"``: a value that was not measured never prints as a number.
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
    """Absolute temperature in K of ``temperature_c`` in degrees Celsius."""
    return temperature_c + 273.15


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any: ``2:05``, ``1:02:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
