"""Every bench that a plan can ask for: function, contract and settings. A new bench is a line here."""

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
from pyspice_cim.characterization.variation.montecarlo import check_rows, monte_carlo_bench, tail_bench
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.netlists.cells.decoder import address_groups
from pyspice_cim.tables import contract
from pyspice_cim.tables.quantity import BenchContract
from pyspice_cim.technology import Corner, Technology


@dataclass(frozen=True)
class BenchKind:
    """A bench as plans know the bench.

    Attributes:
        run: called as ``run(technology, corner, **{axis: value})``, with ``monte_carlo=`` its settings if it samples.
        contract: axes and quantities.
        settings: names of the ``BenchSettings`` that a plan may give.
        arguments: what ``run`` is called with for them.
        samples: whether the bench draws samples; then its numbers are neither held out nor audited.
        check: called as ``check(**{axis: value})``; raises ``NetlistError`` for values that the bench cannot simulate.
    """

    run: Callable[..., Bench]
    contract: BenchContract
    settings: tuple[str, ...] = ()
    arguments: Callable[[BenchSettings], Arguments] = lambda settings: {}
    samples: bool = False
    check: Callable[..., object] = lambda **coordinates: None

    @property
    def axes(self) -> dict[str, str]:
        """Axis name to its meaning."""
        return {axis.name: axis.meaning for axis in self.contract.axes}

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


BENCHES: dict[str, BenchKind] = {}


def register_kind(kind: BenchKind) -> None:
    """Let plans ask for ``kind`` by the name in its contract.

    Raises:
        ValueError: if the contract is not registered (``tables.contract.register_bench``).
    """
    if kind.contract.name not in contract.CONTRACT.benches:
        raise ValueError(f"bench {kind.contract.name!r} has no registered contract; call register_bench first")
    BENCHES[kind.contract.name] = kind


_CELL: dict[str, Any] = {"settings": ("operations",), "arguments": cell_arguments}

for _kind in (
    BenchKind(cell6t_bench, contract.SRAM6T, **_CELL),
    BenchKind(sram8t_bench, contract.SRAM8T, **_CELL),
    BenchKind(
        column_bench,
        contract.COLUMN,
        settings=("data_seed",),
        arguments=program_arguments,
        check=check_column,
    ),
    BenchKind(driver_bench, contract.DRIVER, settings=("line_load_ff", "input_slew_ps"), arguments=driver_arguments),
    BenchKind(decoder_bench, contract.DECODER, check=address_groups),
    BenchKind(
        sequential_bench,
        contract.SEQUENTIAL,
        settings=("data_words", "data_seed"),
        arguments=data_arguments,
        check=check_sequential,
    ),
    BenchKind(monte_carlo_bench, contract.MONTE_CARLO, samples=True, check=check_rows),
    BenchKind(tail_bench, contract.TAIL, samples=True, check=check_rows),
):
    register_kind(_kind)
