"""The BSIM4 card that a fit writes: its fitted parameters and its constants.

BSIM4 (level 54) has some 300 parameters. A parameter that a card leaves out gets a default of the 1990s. Defaults such
as ``pscbe2``, ``lpe0``, ``keta``, ``ua1`` and ``ub1`` are harmless at L = 1 um, but wrong at 45 nm away from the
nominal condition. So the card has every parameter that acts at these lengths. A second-order effect that no target
metric determines is switched off by 0. The constants of the process come from the targets file.

Source of the equations: BSIM4.7 MOSFET Model User's Manual, UC Berkeley, 2011.
"""

from collections.abc import Mapping

from pyspice_cim.errors import TechnologyError

# By fitted parameter: (start, lowest, highest). vth0 is a magnitude.
FITTED: dict[str, tuple[float, float, float]] = {
    "vth0": (0.45, 0.15, 0.90),  # V
    "u0": (0.030, 0.002, 0.150),  # m^2 / (V s)
    "vsat": (1.2e5, 4e4, 4e5),  # m / s
    "eta0": (0.50, 0.0, 4.0),  # drain-induced barrier lowering
    "nfactor": (1.5, 0.3, 6.0),  # subthreshold swing
    # Ohm um, source and drain together. Its limits are narrow because u0 and vsat can compensate it: the curves then
    # still fit, but gates and cells are wrong. Silicided contacts of these nodes have 140 to 220.
    "rdsw": (175.0, 140.0, 220.0),
}

# Selectors of the model equations.
MODES = {
    "mobmod": 0,  # mobility falls with the field by ua and ub
    "capmod": 2,  # charge-thickness aware, single-equation capacitances
    "rdsmod": 0,  # source and drain resistance inside the current equation: no additional nodes
    "rgatemod": 0,
    "rbodymod": 0,
    "igcmod": 0,  # no gate tunnelling: the leakage is the leakage of the channel
    "igbmod": 0,
    "diomod": 1,
    "geomod": 0,
    "permod": 1,
    "trnqsmod": 0,
    "acnqsmod": 0,
    "tempmod": 0,
}

# Constants of the process; a targets file has to give all of them (``[card.nmos]``, ``[card.pmos]``).
PROCESS = (
    "toxe",  # m, electrical gate oxide
    "toxp",  # m, physical gate oxide
    "xj",  # m, junction depth
    "ndep",  # 1/cm^3, channel doping
    "ngate",  # 1/cm^3, gate doping (poly depletion)
    "lint",  # m, under-diffusion of each side
    "k1",  # V^0.5, body effect
    "ua",  # m/V, mobility degradation
    "ub",  # (m/V)^2
    "pclm",  # channel-length modulation
    "cgso",  # F/m, overlap with the source (and, as cgdo, the drain)
    "cf",  # F/m, fringe
    "cjs",  # F/m^2, junction bottom
    "cjsws",  # F/m, junction sidewall at the isolation
    "cjswgs",  # F/m, junction sidewall at the gate
    "kt1",  # V, temperature coefficient of the threshold
    "ute",  # exponent of the mobility's temperature dependence
    "at",  # m/s, temperature coefficient of the saturation velocity
    "prt",  # Ohm um, temperature coefficient of the series resistance
)

CONSTANTS: dict[str, float] = {
    "tnom": 27.0,
    "epsrox": 3.9,
    "nsd": 2e20,
    "rsh": 8.0,  # Ohm per square of the silicided diffusion
    # Threshold: a small second term of the body effect. The terms of narrow width, pockets and charge sharing are off,
    # because the targets have one length. eta0 and dsub keep their length dependence.
    "k2": -0.01,
    "k3": 0.0,
    "k3b": 0.0,
    "w0": 2.5e-6,
    "lpe0": 0.0,
    "lpeb": 0.0,
    "dvt0": 1.0,
    "dvt1": 2.0,
    "dvt2": 0.0,
    "dvt0w": 0.0,
    "dvt1w": 0.0,
    "dvt2w": 0.0,
    "dsub": 0.5,
    "etab": 0.0,
    # Subthreshold.
    "voff": -0.1,
    "voffl": 0.0,
    "minv": 0.0,
    "cit": 0.0,
    "cdsc": 0.0,
    "cdscb": 0.0,
    "cdscd": 0.0,
    # Mobility and saturation.
    "uc": 0.0,
    "a0": 1.0,
    "ags": 0.0,
    "a1": 0.0,
    "a2": 1.0,
    "b0": 0.0,
    "b1": 0.0,
    "keta": 0.0,
    "dwg": 0.0,
    "dwb": 0.0,
    "delta": 0.01,
    # Output resistance: channel-length modulation is in the targets file, DIBL in eta0, hot carriers are off.
    "pdiblc1": 0.001,
    "pdiblc2": 0.001,
    "pdiblcb": 0.0,
    "drout": 0.5,
    "pvag": 0.0,
    "fprout": 0.0,
    "pscbe1": 6e8,
    "pscbe2": 1e-9,
    "alpha0": 0.0,
    "alpha1": 0.0,
    "beta0": 30.0,
    "agidl": 0.0,
    # Series resistance does not depend on bias.
    "prwg": 0.0,
    "prwb": 0.0,
    "wr": 1.0,
    "rdswmin": 0.0,
    # Capacitances.
    "cgbo": 0.0,
    "cgsl": 0.0,
    "cgdl": 0.0,
    "mjs": 0.5,
    "mjsws": 0.33,
    "mjswgs": 0.33,
    "pbs": 0.9,
    "pbsws": 0.9,
    "pbswgs": 0.9,
    "jss": 1e-6,
    "jsws": 1e-13,
    "jswgs": 1e-13,
    "njs": 1.0,
    "xtis": 3.0,
    # Temperature: the mobility depends on ute alone, so its exponent is the value in the card.
    "kt1l": 0.0,
    "kt2": 0.0,
    "ua1": 0.0,
    "ub1": 0.0,
    "uc1": 0.0,
    "tcj": 1e-3,
    "tcjsw": 1e-3,
    "tcjswg": 1e-3,
    "tpb": 1e-3,
    "tpbsw": 1e-3,
    "tpbswg": 1e-3,
}

# Constants with the value of another constant, unless they are given.
DERIVED = {"toxm": "toxe", "cgdo": "cgso"}


def card(model: str, polarity: str, values: Mapping[str, float], fitted: Mapping[str, float]) -> str:
    """Return the text of one ``.model`` card.

    Args:
        model: name of the model.
        polarity: ``n`` or ``p``.
        values: all constants of ``PROCESS``, and other values for any of ``CONSTANTS``; in the units of BSIM4.
        fitted: the six parameters of ``FITTED``.
    """
    merged: dict[str, float] = {**MODES, **CONSTANTS, **values}
    for name, original in DERIVED.items():
        merged.setdefault(name, merged[original])
    sign = 1.0 if polarity == "n" else -1.0
    first = {name: (sign * value if name == "vth0" else value) for name, value in fitted.items()}
    words = [f"{name}={value:.6g}" for name, value in (*first.items(), *sorted(merged.items()))]
    rows = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    return f".model {model} {polarity}mos level=54 version=4.7\n" + "".join(f"+ {row}\n" for row in rows)


def check_constants(values: Mapping[str, float], where: str) -> None:
    """Check that ``values`` has all constants of ``PROCESS``, and only constants of a card.

    Args:
        values: constants by name.
        where: name of their table in the targets file, for the message.

    Raises:
        TechnologyError: if a constant is missing or not known; the message names it.
    """
    missing = [name for name in PROCESS if name not in values]
    if missing:
        raise TechnologyError(f"{where} lacks {', '.join(missing)}; give every constant of the process")
    known = {*PROCESS, *CONSTANTS, *DERIVED}
    unknown = [name for name in values if name not in known]
    if unknown:
        hint = "it is fitted; remove it" if unknown[0] in FITTED else "remove it or mend its spelling"
        raise TechnologyError(f"{where}.{unknown[0]} is not a constant of the card: {hint}")
