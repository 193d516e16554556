"""Every bench that a plan can ask for: its function and its axes. A new bench is a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspice_cim.characterization.column import column_bench
from pyspice_cim.characterization.decoder import decoder_bench
from pyspice_cim.characterization.driver import driver_bench
from pyspice_cim.characterization.sequential import sequential_bench
from pyspice_cim.characterization.simulation import Bench
from pyspice_cim.characterization.sram6t import sram6t_bench
from pyspice_cim.characterization.sram8t import sram8t_bench


@dataclass(frozen=True)
class BenchKind:
    """A bench and the names of its axes, all positive integers.

    Attributes:
        run: called as ``run(technology, corner, **{axis: value})``.
        axes: axis name to its meaning.
    """

    run: Callable[..., Bench]
    axes: dict[str, str]

    def start(self, technology: Any, corner: Any, coordinates: dict[str, int]) -> Bench:
        """The bench at one point."""
        return self.run(technology, corner, **coordinates)


BENCHES = {
    "sram6t": BenchKind(sram6t_bench, {"rows": "cells on a bitline"}),
    "sram8t": BenchKind(sram8t_bench, {"rows": "cells on a bitline"}),
    "column": BenchKind(
        column_bench, {"rows": "rows of a segment", "segments": "weight segments on the global read line"}
    ),
    "driver": BenchKind(driver_bench, {}),
    "decoder": BenchKind(decoder_bench, {"rows": "rows to choose from"}),
    "sequential": BenchKind(sequential_bench, {"rows": "words of the memory", "membrane_bits": "bits of a word"}),
}
