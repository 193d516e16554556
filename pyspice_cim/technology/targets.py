"""A targets file: the metrics that cards are fitted to, the constants of the cards, and the rest of the technology."""

from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.fields import Description, Identifier
from pyspice_cim.technology.loader import builtin_folder, field_messages, read_toml

# The six metrics of each device to which six parameters of its card are fitted.
FIT_FIGURES = ("ion", "ieff", "idlin", "ioff", "vt_lin", "vt_sat")


class Targets(Description):
    """Input of ``fit_cards``.

    Attributes:
        card: device (``nmos``, ``pmos``) to the constants of its card that are not fitted.
    """

    card: dict[Identifier, dict[Identifier, float]]

    @model_validator(mode="after")
    def _source_is_a_comment(self) -> Self:
        # The source becomes a comment above the fitted cards. A second line would become a card of the deck.
        if not self.source.isprintable():
            raise ValueError("source must be one line of printable text")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("nmos", "pmos"):
            missing = [metric for metric in FIT_FIGURES if metric not in self.targets.get(name, {})]
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
