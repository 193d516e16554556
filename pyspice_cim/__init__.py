"""Circuit-level SPICE co-simulation of SRAM compute-in-memory macros that run LD-LIF spiking networks.

The names below are imported when they are used, so that the behavioral half works where PySpice and ngspice are missing, and
``import pyspice_cim`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pyspice_cim.behavioral.config import MacroConfig
    from pyspice_cim.behavioral.datasets import digits
    from pyspice_cim.behavioral.encoding import Encoder
    from pyspice_cim.behavioral.ldlif import LDLIFParams, LDLIFState, ldlif_step
    from pyspice_cim.behavioral.macro import Macro
    from pyspice_cim.behavioral.network import Network, RunReport
    from pyspice_cim.behavioral.network_file import Layer, NetworkFile, load_network, save_network
    from pyspice_cim.behavioral.nir_export import export_nir, save_nir
    from pyspice_cim.behavioral.nir_import import NIRNetwork, import_nir
    from pyspice_cim.characterization.engine import Engine
    from pyspice_cim.characterization.plan import load_plan
    from pyspice_cim.characterization.sweep import characterize
    from pyspice_cim.errors import CimError
    from pyspice_cim.resources import shipped
    from pyspice_cim.tables import Lookup, Table, load_table, reference_table, save_table
    from pyspice_cim.technology import Corner, Technology, load_technology
    from pyspice_cim.validation import CosimReport, CosimSpec, cosimulate

# Public name to the module that holds it.
_HOMES = {
    "CimError": "errors",
    "Corner": "technology",
    "CosimReport": "validation",
    "CosimSpec": "validation",
    "Encoder": "behavioral.encoding",
    "Engine": "characterization.engine",
    "LDLIFParams": "behavioral.ldlif",
    "LDLIFState": "behavioral.ldlif",
    "Layer": "behavioral.network_file",
    "Lookup": "tables",
    "Macro": "behavioral.macro",
    "MacroConfig": "behavioral.config",
    "NIRNetwork": "behavioral.nir_import",
    "Network": "behavioral.network",
    "NetworkFile": "behavioral.network_file",
    "RunReport": "behavioral.network",
    "Table": "tables",
    "Technology": "technology",
    "characterize": "characterization.sweep",
    "cosimulate": "validation",
    "digits": "behavioral.datasets",
    "export_nir": "behavioral.nir_export",
    "import_nir": "behavioral.nir_import",
    "ldlif_step": "behavioral.ldlif",
    "load_network": "behavioral.network_file",
    "load_plan": "characterization.plan",
    "load_table": "tables",
    "load_technology": "technology",
    "reference_table": "tables",
    "save_network": "behavioral.network_file",
    "save_nir": "behavioral.nir_export",
    "save_table": "tables",
    "shipped": "resources",
}

__all__ = [
    "CimError",
    "Corner",
    "CosimReport",
    "CosimSpec",
    "Encoder",
    "Engine",
    "LDLIFParams",
    "LDLIFState",
    "Layer",
    "Lookup",
    "Macro",
    "MacroConfig",
    "NIRNetwork",
    "Network",
    "NetworkFile",
    "RunReport",
    "Table",
    "Technology",
    "characterize",
    "cosimulate",
    "digits",
    "export_nir",
    "import_nir",
    "ldlif_step",
    "load_network",
    "load_plan",
    "load_table",
    "load_technology",
    "reference_table",
    "save_network",
    "save_nir",
    "save_table",
    "shipped",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
