"""Errors that a user can correct.

Every message names the field or file, the value found, and the remedy. The command line prints the message and exits with
``exit_status``. Any other exception is a defect of the package.
"""


class CimError(Exception):
    """Base of all errors that a user can correct."""

    exit_status = 2


class ConfigError(CimError):
    """A setting of a macro, a network or the command line is out of its range."""


class DataError(CimError):
    """Input data (spikes, weights, images, network files) do not have the expected form."""


class MissingDependencyError(CimError):
    """An optional package or an external program is missing; the message says how to install it."""


class TechnologyError(CimError):
    """A technology file, corner, device or supply voltage is not valid."""


class NetlistError(CimError):
    """A netlist cannot be built: a name, a size or a port is not valid."""


class PlanError(CimError):
    """A characterization plan is not valid."""


class SimulationError(CimError):
    """ngspice failed, or its result cannot be trusted."""


class TableError(CimError):
    """A table cannot be used: it is truncated, has another schema or technology, or a point that failed."""


class OutsideTableError(TableError):
    """A look-up is outside the table, and the policy is ``raise``."""
