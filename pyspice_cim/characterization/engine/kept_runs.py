"""Simulators that stand around ngspice: one that keeps decks and waveforms, one that runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult
from pyspice_cim.characterization.spice.rawfile import raw_bytes
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.resources import make_folder, write_new


@dataclass(frozen=True)
class NothingRuns:
    """A simulator that runs nothing: an outcome that is not in the cache stays unknown.

    Attributes:
        version: version of the ngspice whose outcomes are looked for.
    """

    version: str

    def run(self, decks: Sequence[Deck]) -> list[SimResult]:
        return [SimResult(vectors={}, failure=Failure(Status.NOT_CACHED), cpu_seconds=0.0) for _ in decks]


@dataclass(frozen=True)
class KeepsWaveforms:
    """ngspice that keeps the waveforms of every good run in ``folder``; convergence retries have decks of their own.

    A file is new or already holds the same bytes, because the same ngspice gives the same waveforms.
    """

    folder: Path
    simulator: NgspiceSimulator

    @property
    def version(self) -> str:
        return self.simulator.version

    def run(self, decks: Sequence[Deck]) -> list[SimResult]:
        results = self.simulator.run(decks)
        make_folder(self.folder)
        for deck, result in zip(decks, results, strict=True):
            path = write_deck(self.folder, deck)
            if result.ok:
                title = deck.text.partition("\n")[0].lstrip("* ")
                write_new(path.with_suffix(".raw"), raw_bytes(result.vectors, title))
        return results


def write_deck(folder: Path, deck: Deck) -> Path:
    """Write ``deck`` to ``folder`` as ``<first 16 digits of its hash>.cir`` and return the path.

    Raises:
        ConfigError: if another file of that name is there, or a link.
    """
    path = folder / f"{deck.sha256[:16]}.cir"
    write_new(path, deck.text.encode())
    return path
