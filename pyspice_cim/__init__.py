"""Circuit-level SPICE co-simulation of SRAM compute-in-memory macros that run LD-LIF spiking networks.

A public name is imported when it is used. So the behavioral half works where PySpice and ngspice are missing, and
``import pyspice_cim`` is fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pyspice_cim.behavioral.datasets import digits
    from pyspice_cim.behavioral.macro.config import MacroConfig
    from pyspice_cim.behavioral.macro.macro import Macro
    from pyspice_cim.behavioral.macro.network import Network, RunReport
    from pyspice_cim.behavioral.network.encoding import Encoder
    from pyspice_cim.behavioral.network.file import Layer, NetworkFile, load_network, save_network
    from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, ldlif_step
    from pyspice_cim.behavioral.nir.exporter import export_nir, save_nir
    from pyspice_cim.behavioral.nir.importer import NIRNetwork, import_nir
    from pyspice_cim.characterization.engine.engine import Engine
    from pyspice_cim.characterization.plans.plan import load_plan
    from pyspice_cim.characterization.plans.sweep import characterize
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
    "Encoder": "behavioral.network.encoding",
    "Engine": "characterization.engine.engine",
    "LDLIFParams": "behavioral.neuron.ldlif",
    "LDLIFState": "behavioral.neuron.ldlif",
    "Layer": "behavioral.network.file",
    "Lookup": "tables",
    "Macro": "behavioral.macro.macro",
    "MacroConfig": "behavioral.macro.config",
    "NIRNetwork": "behavioral.nir.importer",
    "Network": "behavioral.macro.network",
    "NetworkFile": "behavioral.network.file",
    "RunReport": "behavioral.macro.network",
    "Table": "tables",
    "Technology": "technology",
    "characterize": "characterization.plans.sweep",
    "cosimulate": "validation",
    "digits": "behavioral.datasets",
    "export_nir": "behavioral.nir.exporter",
    "import_nir": "behavioral.nir.importer",
    "ldlif_step": "behavioral.neuron.ldlif",
    "load_network": "behavioral.network.file",
    "load_plan": "characterization.plans.plan",
    "load_table": "tables",
    "load_technology": "technology",
    "reference_table": "tables",
    "save_network": "behavioral.network.file",
    "save_nir": "behavioral.nir.exporter",
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
