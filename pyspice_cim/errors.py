"""The errors that the package raises on purpose.

Every message names the field or file, the value found, and what to do. The command line prints the message alone and
exits with ``exit_status``; anything that is not a ``CimError`` is a defect of the package.
"""


class CimError(Exception):
    """Base of all errors that a user can mend."""

    exit_status = 2


class ConfigError(CimError):
    """A macro, network or command-line setting is out of its range."""


class DataError(CimError):
    """Input data (spikes, weights, images, files of a network) do not have the form that is asked for."""


class MissingDependencyError(CimError):
    """An optional package or an external program is not there; the message says how to install it."""


class TechnologyError(CimError):
    """A technology file, corner, device or supply voltage is not valid."""


class NetlistError(CimError):
    """A netlist cannot be built: a name, a size or a port is not valid."""


class PlanError(CimError):
    """A characterization plan is not valid."""


class SimulationError(CimError):
    """ngspice failed, or its result is not one that can be trusted."""


class TableError(CimError):
    """A table cannot be read: truncated, another schema, another technology, or a point that failed."""


class OutsideTableError(TableError):
    """A look-up lies outside the range of the table and the policy is ``raise``."""
