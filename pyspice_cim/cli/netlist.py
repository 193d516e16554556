"""``pyspice-cim netlist``: list, print and write the documented decks, which run by hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyspice_cim.cli.files import plain_console, print_json, say
from pyspice_cim.errors import NetlistError
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, make_folder, write_own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspice_cim.netlists.deck import Deck

app = typer.Typer(
    no_args_is_help=True,
    help="SPICE decks of cells, drivers, columns and a small macro: list them, print one, write them as files.",
)

_Technology = Annotated[str, typer.Option(help="Built-in name (generic45lp, generic65) or a TOML file.")]


@app.command("list")
def list_decks(
    technology: _Technology = DEFAULT_TECHNOLOGY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """List the decks: name, content, number of lines.

    Example: pyspice-cim netlist list
    """
    decks = _decks(technology)
    if as_json:
        print_json({name: {"title": _title(deck), "sha256": deck.sha256} for name, deck in decks.items()})
        return
    from rich.table import Table

    shown = Table(title=f"decks of {technology}")
    for title in ("name", "what", "lines"):
        shown.add_column(title, justify="right" if title == "lines" else "left")
    for name, deck in decks.items():
        shown.add_row(name, _title(deck), str(deck.text.count("\n")))
    plain_console().print(shown)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a deck, with or without .cir.")],
    technology: _Technology = DEFAULT_TECHNOLOGY,
) -> None:
    """Print one complete deck, with its transistor models.

    Example: pyspice-cim netlist show column_fire > fire.cir && ngspice -b fire.cir
    """
    decks = _decks(technology)
    found = decks.get(name) or decks.get(f"{name}.cir")
    if found is None:
        raise NetlistError(f"there is no deck {name!r}; there are: {', '.join(decks)}")
    say(found.text, end="")


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the decks; made if it is not there.")],
    technology: _Technology = DEFAULT_TECHNOLOGY,
) -> None:
    """Write every deck into a folder; each deck runs by hand with ngspice -b.

    Existing decks are replaced. A link, or another file with the name of a deck, is an error.

    Example: pyspice-cim netlist render --out decks
    """
    decks = _decks(technology)
    make_folder(out)
    for name, deck in decks.items():
        write_own(out / name, deck.text.encode(), _is_deck)
        say(str(out / name))


def _decks(technology: str) -> "Mapping[str, Deck]":
    from pyspice_cim.characterization.benches.examples import example_decks
    from pyspice_cim.technology import load_technology

    return example_decks(load_technology(technology))


def _is_deck(data: bytes) -> bool:
    return data.endswith(b"\n.end\n")


def _title(deck: "Deck") -> str:
    """Title of a deck: its first line."""
    return deck.text.splitlines()[0].removeprefix(".title").lstrip("* ").strip()
