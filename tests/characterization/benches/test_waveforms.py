"""The waveforms of a column where ngspice has no time, or fails: an error that says why."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pyspice_cim.characterization.benches.waveforms import column_waveforms
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.ngspice import SimResult
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import SimulationError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table


class Failing:
    version = "failing-1"

    def run(self, decks):
        return [SimResult(failure=Failure(Status.CRASHED, "ngspice ended by SIGSEGV"), cpu_seconds=0.0) for _ in decks]


@pytest.mark.parametrize(
    ("budget", "reason"),
    [(0.0, "not simulated: the budget of 0 s ran out"), (None, "crashed: ngspice ended by SIGSEGV")],
)
def test_waveforms_that_were_not_simulated_are_an_error_with_the_reason(budget, reason):
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=Failing(), cache=None, executor=pool, budget=budget)
        with pytest.raises(SimulationError, match=f"waveforms could not be simulated: {reason}"):
            column_waveforms(load_table(shipped("reference", "generic45lp.h5")), engine)
