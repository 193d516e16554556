"""The model text of a deck at one process corner."""

import re
from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.binning import Bin, bins_of
from pyspice_cim.technology.cards import is_comment
from pyspice_cim.technology.fields import CornerModels
from pyspice_cim.technology.model import Technology
from pyspice_cim.technology.modelfiles import file_text, section_text

_MODEL = re.compile(r"\s*\.model\s+\S+\s+(nmos|pmos)\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def model_text(technology: Technology, process: str) -> str:
    """Deck text of all models of ``technology`` at the process corner ``process``.

    The text holds the files of ``models.include``, the sections of ``models.lib`` and the bins of ``models.binned``. A deck
    with this text can be kept, hashed and run by hand anywhere. A synthetic corner edits the nominal BSIM4 cards
    (Xi et al., BSIM4 MOSFET model, user's manual, University of California, Berkeley):

        |vth0| -> |vth0| + dvt_mv / 1000    threshold voltage at long channel and zero body bias, V
        u0     -> u0 * mobility             low-field mobility

    Args:
        technology: the technology.
        process: key of ``technology.corners``.

    Raises:
        TechnologyError: for an unknown corner, a file or section that cannot be used, or a synthetic corner of files
            without BSIM cards that it could edit.
    """
    technology.corner_name(process)
    scale = [".option scale=1e-6"] if technology.units.scale_option == "deck" else []
    parameters = [f".param {name}={value:.9g}" for name, value in technology.models.params.items()]
    included = [file_text(path).rstrip() for path in technology.include_paths(process)]
    libraries = [_section(technology, *item, process) for item in technology.library_sections(process)]
    binned = _binned(technology, process)
    text = "\n".join([*scale, *parameters, *included, *libraries, *binned]) + "\n"
    return shifted(text, technology.corners[process], technology.name)


def _section(technology: Technology, path: Path, section: str, process: str) -> str:
    try:
        return section_text(path, section).rstrip()
    except TechnologyError as error:
        raise TechnologyError(
            f"technology {technology.name}, corner {process}: {error} (models.lib.section, where {{corner}} is "
            f"corners.{process}.name)"
        ) from error


def _binned(technology: Technology, process: str) -> list[str]:
    """Subcircuits of all bins that lie within the size ranges of the devices."""
    paths = technology.binned_paths(process)
    if not paths:
        return []
    bins: dict[str, Bin] = {}
    for kind in technology.devices.values():
        width, length = ((low * 1e-6, high * 1e-6) for low, high in (kind.w_um, kind.l_um))
        bins |= {item.name: item for item in bins_of(paths, kind.model) if item.overlaps(width, length)}
    return [item.text.rstrip() for item in bins.values()]


def shifted(text: str, corner: CornerModels, name: str = "") -> str:
    """``text`` with the synthetic shifts of ``corner`` in its ``.model`` cards; without shifts, ``text`` itself.

    Args:
        text: model text.
        corner: shift of ``|vth0|`` (mV) and factor on ``u0``, for each polarity.
        name: name of the technology, for messages.

    Raises:
        TechnologyError: if there is a shift and no card with ``vth0`` and ``u0`` to take it.
    """
    if not corner.synthetic:
        return text
    polarity = ""
    changed: dict[str, int] = {"vth0": 0, "u0": 0}
    lines = []
    # splitlines() also cuts at a form feed, so that the rest of a comment would become a card.
    for line in text.removesuffix("\n").split("\n"):
        if match := _MODEL.match(line):
            polarity = match.group(1)[0].lower()
        elif line.strip() and not (line.lstrip().startswith("+") or is_comment(line)):
            polarity = ""
        if polarity and not is_comment(line):
            sign = 1.0 if polarity == "n" else -1.0
            shift = sign * getattr(corner.dvt_mv, polarity) * 1e-3
            line, count = _edited(line, "vth0", 1.0, shift)
            changed["vth0"] += count
            line, count = _edited(line, "u0", getattr(corner.mobility, polarity), 0.0)
            changed["u0"] += count
        lines.append(line)
    if not all(changed.values()):
        raise TechnologyError(
            f"technology {name}: a synthetic corner (dvt_mv, mobility) needs .model cards under models.include "
            "that give vth0 and u0 as numbers"
        )
    return "\n".join(lines) + "\n"


def _edited(line: str, keyword: str, factor: float, shift: float) -> tuple[str, int]:
    """``line`` with each value v of ``keyword`` replaced by ``v * factor + shift``, and the number of replacements."""
    pattern = re.compile(rf"(?<![A-Za-z0-9_])({keyword}\s*=\s*)({_NUMBER})(?![A-Za-z0-9_.])", re.IGNORECASE)
    return pattern.subn(lambda found: f"{found.group(1)}{float(found.group(2)) * factor + shift:.9g}", line)
