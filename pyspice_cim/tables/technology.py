"""The technology of a table: built in, or the one that the user gives. What a table says is never taken for a path."""

from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.tables import Table
from pyspice_cim.technology import Technology, builtin_technology, load_technology


def technology_of(table: Table, given: str | Path | None = None) -> Technology:
    """The technology of ``table``: built in, or the TOML file ``given``.

    Args:
        table: the table.
        given: TOML file of the technology; ``None`` for a built-in technology.

    Raises:
        TechnologyError: if the technology is not built in and no file is given.
        TableError: if the file is of another technology.
        MissingDependencyError: if the models of the technology are not installed.
    """
    if given is None:
        try:
            return builtin_technology(table.technology)
        except TechnologyError as error:
            raise TechnologyError(
                f"table {table.source} is of technology {table.technology!r}, which is not built in; give its file with "
                "--technology FILE.toml"
            ) from error
    technology = load_technology(given)
    table.require_technology(technology.name)
    return technology
