"""Technologies: devices, models, wires, mismatch and bit cells of a process, as data."""

from pyspice_cim.technology.loader import builtin_technologies, builtin_technology, load_technology
from pyspice_cim.technology.model import CellGeometry, Corner, Device, Technology
from pyspice_cim.technology.models import model_text

__all__ = [
    "CellGeometry",
    "Corner",
    "Device",
    "Technology",
    "builtin_technologies",
    "builtin_technology",
    "load_technology",
    "model_text",
]
