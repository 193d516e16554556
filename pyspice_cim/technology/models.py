"""The model text of a deck for one process corner."""

import re
from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.fields import CornerModels
from pyspice_cim.technology.model import Technology

_MODEL = re.compile(r"\s*\.model\s+\S+\s+(nmos|pmos)\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# A deck can run programs of the machine; a model file has no business to.
_COMMANDS = re.compile(r"^\s*\.(?:control|exec)\b", re.IGNORECASE | re.MULTILINE)


def model_text(technology: Technology, process: str) -> str:
    """Deck text of all models of ``technology`` at the process corner ``process``.

    Files of ``models.include`` are copied in, so that a deck can be kept, hashed and run by hand elsewhere; sections of
    ``models.lib`` are named by absolute path, because ngspice has to pick the section. A synthetic corner
    edits the nominal cards: ``|vth0| + dvt_mv / 1000`` (V) and ``u0 * mobility``.

    Raises:
        TechnologyError: for an unknown corner, a file that cannot be used, or a synthetic corner of files without
            BSIM cards that it could edit.
    """
    technology.corner_name(process)
    parameters = [f".param {name}={value:.9g}" for name, value in technology.models.params.items()]
    included = [_read(path).rstrip() for path in technology.include_paths(process)]
    libraries = [f'.lib "{path}" {section}' for path, section in technology.library_sections(process)]
    text = "\n".join([*parameters, *included, *libraries]) + "\n"
    return shifted(text, technology.corners[process], technology.name)


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    if _COMMANDS.search(text):
        raise TechnologyError(
            f"{path} holds a .control or .exec section: a model file must hold models only; remove it"
        )
    return text


def shifted(text: str, corner: CornerModels, name: str = "") -> str:
    """``text`` with the synthetic shifts of ``corner`` written into its ``.model`` cards.

    Raises:
        TechnologyError: if there is a shift and no card with ``vth0`` and ``u0`` to take it.
    """
    if not corner.synthetic:
        return text
    polarity = ""
    changed: dict[str, int] = {"vth0": 0, "u0": 0}
    lines = []
    for line in text.splitlines():
        if match := _MODEL.match(line):
            polarity = match.group(1)[0].lower()
        elif line.strip() and not line.lstrip().startswith(("+", "*")):
            polarity = ""
        if polarity and not line.lstrip().startswith("*"):
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
    """``line`` with the value v of ``keyword`` replaced by ``v * factor + shift``, and how many were replaced."""
    pattern = re.compile(rf"(?<![A-Za-z0-9_])({keyword}\s*=\s*)({_NUMBER})(?![A-Za-z0-9_.])", re.IGNORECASE)
    return pattern.subn(lambda found: f"{found.group(1)}{float(found.group(2)) * factor + shift:.9g}", line)
