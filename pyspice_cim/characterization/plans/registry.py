"""Every bench that a plan can ask for: its function and its axes. A new bench is a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspice_cim.characterization.benches.column import check_column, column_bench
from pyspice_cim.characterization.benches.decoder import decoder_bench
from pyspice_cim.characterization.benches.driver import driver_bench
from pyspice_cim.characterization.benches.sequential import check_sequential, sequential_bench
from pyspice_cim.characterization.benches.sram8t import sram8t_bench
from pyspice_cim.characterization.benches.user_cell6t import cell6t_bench
from pyspice_cim.characterization.plans.settings import (
    DEFAULT_SETTINGS,
    Arguments,
    BenchSettings,
    cell_arguments,
    data_arguments,
    driver_arguments,
    program_arguments,
)
from pyspice_cim.characterization.spice.simulation import Bench
from pyspice_cim.characterization.variation.montecarlo import monte_carlo_bench, tail_bench
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.netlists.cells.decoder import address_groups
from pyspice_cim.technology import Corner, Technology


@dataclass(frozen=True)
class BenchKind:
    """A bench and the names of its axes, all positive integers.

    Attributes:
        run: called as ``run(technology, corner, **{axis: value})``, with ``monte_carlo=`` its settings if it samples.
        axes: axis name to its meaning.
        settings: names of the ``BenchSettings`` that a plan may give.
        arguments: what ``run`` is called with for them.
        samples: whether it draws samples: then its numbers are neither interpolated to judge them nor audited.
        check: called as ``check(**{axis: value})``; raises ``NetlistError`` for values that the bench cannot simulate.
    """

    run: Callable[..., Bench]
    axes: dict[str, str]
    settings: tuple[str, ...] = ()
    arguments: Callable[[BenchSettings], Arguments] = lambda settings: {}
    samples: bool = False
    check: Callable[..., object] = lambda **coordinates: None

    def start(
        self,
        technology: Technology,
        corner: Corner,
        coordinates: dict[str, int],
        settings: BenchSettings = DEFAULT_SETTINGS,
        monte_carlo: MonteCarloSettings | None = None,
    ) -> Bench:
        """The bench at one point."""
        more = {"monte_carlo": monte_carlo} if self.samples else {}
        return self.run(technology, corner, **coordinates, **self.arguments(settings), **more)


_CELL: dict[str, Any] = {"settings": ("operations",), "arguments": cell_arguments}

BENCHES = {
    "sram6t": BenchKind(cell6t_bench, {"rows": "cells on a bitline"}, **_CELL),
    "sram8t": BenchKind(sram8t_bench, {"rows": "cells on a bitline"}, **_CELL),
    "column": BenchKind(
        column_bench,
        {"rows": "rows of a segment", "segments": "weight segments on the global read line"},
        settings=("data_seed",),
        arguments=program_arguments,
        check=check_column,
    ),
    "driver": BenchKind(driver_bench, {}, settings=("line_load_ff", "input_slew_ps"), arguments=driver_arguments),
    "decoder": BenchKind(decoder_bench, {"rows": "rows to choose from"}, check=address_groups),
    "sequential": BenchKind(
        sequential_bench,
        {"rows": "words of the memory", "membrane_bits": "bits of a word"},
        settings=("data_words", "data_seed"),
        arguments=data_arguments,
        check=check_sequential,
    ),
    "monte_carlo": BenchKind(monte_carlo_bench, {"rows": "cells on a bitline"}, samples=True),
    "tail": BenchKind(tail_bench, {"rows": "cells on a bitline"}, samples=True),
}
