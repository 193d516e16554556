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

# Characters of a value in a message.
_LONGEST = 200


def builtin_folder() -> Path:
    """Folder of the technologies that come with the package."""
    return Path(str(files("pyspice_cim.technology") / "builtin"))


def builtin_technologies() -> tuple[str, ...]:
    """Names of the technologies that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in builtin_folder().glob("*.toml")))


def load_technology(name_or_path: str | Path, *, check_files: bool = True) -> Technology:
    """Read the technology with a built-in name (``generic45lp``), or from a TOML file.

    Anything with a suffix ``.toml`` or a folder in it is a path; every other text is a built-in name.

    Args:
        check_files: whether its model files have to be there.

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
    """Read the technology with a built-in name, and never another file.

    A name out of a file (a table, the plan in it) comes here: whoever wrote that file must not choose what is read.
    ``load_technology`` takes what the user gave.

    Args:
        check_files: whether its model files have to be there.

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
    """The technology in ``data``, which was read from ``path``: model files are looked for beside it.

    Raises:
        TechnologyError: naming every field that is wrong, the value found, and what is expected.
    """
    try:
        technology = Technology.model_validate({**data, "folder": path.resolve().parent})
    except ValidationError as error:
        raise TechnologyError(f"{path}: {'; '.join(field_messages(error))}") from error
    if check_files:
        # A missing file, or a bit cell that cannot be drawn, is found now, not in the middle of a sweep.
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
        # Of the decoder, of UTF-8, or of Python, which refuses an integer of thousands of digits.
        raise TechnologyError(f"{path} is not valid TOML: {error}") from error


def field_messages(error: ValidationError) -> list[str]:
    """One message for each wrong field of a pydantic error: dotted name, what is wrong, value, what to do."""
    messages = []
    for item in error.errors():
        # The name of an entry is its own place in pydantic: "[key]".
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
                # A check of a whole table: its message names the field, and the table is too long to print.
                messages.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
            case _:
                # pydantic prefixes the text of our own validators.
                text = item["msg"].removeprefix("Value error, ")
                messages.append(f"{name} = {_shown(item['input'])} is not valid: {text}")
    return messages


def _plain(name: str) -> str:
    """``name``, in quotes if it could not be read otherwise."""
    return name if name.isprintable() and len(name) < _LONGEST else _shown(name)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # An integer of thousands of hexadecimal digits, or tables in tables in tables.
        return "(too long to print)"
    return text if len(text) < _LONGEST else f"{text[: _LONGEST - 3]}..."
