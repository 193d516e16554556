"""A targets file: the figures that cards are fitted to, the constants of the cards, and the rest of the technology."""

from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.fields import Description, Identifier
from pyspice_cim.technology.loader import builtin_folder, field_messages, read_toml

# The six figures of each device that its six card parameters are fitted to.
FIT_FIGURES = ("ion", "ieff", "idlin", "ioff", "vt_lin", "vt_sat")


class Targets(Description):
    """What ``fit_cards`` starts from. ``card`` holds the constants of ``nmos`` and ``pmos`` that are not fitted."""

    card: dict[Identifier, dict[Identifier, float]]

    @model_validator(mode="after")
    def _source_is_a_comment(self) -> Self:
        # It heads the cards that are fitted: a second line of it would be one of the deck.
        if not self.source.isprintable():
            raise ValueError("source must be one line of printable text")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("nmos", "pmos"):
            missing = [figure for figure in FIT_FIGURES if figure not in self.targets.get(name, {})]
            if missing:
                raise ValueError(f"targets.{name} lacks {', '.join(missing)}; a fit needs {', '.join(FIT_FIGURES)}")
            if name not in self.card:
                raise ValueError(f"card.{name} is missing; give the constants of the card there")
        return self


def builtin_targets() -> tuple[str, ...]:
    """Names of the targets files that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in (builtin_folder() / "targets").glob("*.toml")))


def load_targets(name_or_path: str | Path) -> Targets:
    """Read the targets with a built-in name, or from a TOML file.

    Raises:
        TechnologyError: if there is no such file, or it is not valid; every wrong field is named.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and len(path.parts) == 1:
        if str(name_or_path) not in builtin_targets():
            raise TechnologyError(
                f"there are no targets {str(name_or_path)!r}; built in: {', '.join(builtin_targets())}; "
                "or give the path of a TOML file"
            )
        path = builtin_folder() / "targets" / f"{path}.toml"
    elif not path.is_file():
        raise TechnologyError(f"{path} is not a file; give the path of a TOML file of targets")
    try:
        return Targets.model_validate(read_toml(path))
    except ValidationError as error:
        raise TechnologyError(f"{path}: {'; '.join(field_messages(error))}") from error
