"""Flat copies against the hierarchical decks of the same cells, and the list of their transistors."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pyspice_cim.characterization.benches.sram6t import sram6t_bench
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import execute
from pyspice_cim.characterization.variation.static import snm_fixture, write_margin_fixture
from pyspice_cim.errors import MissingDependencyError, NetlistError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.cells.bitcells import sram6t
from pyspice_cim.netlists.cells.periphery6t import column6t
from pyspice_cim.netlists.flat import draw_flat
from pyspice_cim.technology import Corner, Technology, load_technology
from pyspice_cim.technology.loader import builtin_folder

GENERIC = load_technology("generic45lp")


def technology(name: str) -> Technology:
    try:
        return load_technology(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["generic45lp", "sky130"])
def test_copies_without_shifts_have_the_margins_of_the_hierarchical_bench(name: str) -> None:
    process = technology(name)
    corner = Corner(vdd=process.supply.nominal_v)
    bench = {m.name: m.value for m in run_one(sram6t_bench(process, corner, rows=64))}
    for fixture in (snm_fixture(process, corner), write_margin_fixture(process, corner)):
        outcome = execute(fixture.build(np.zeros((3, len(fixture.transistors)))), NgspiceSimulator())
        assert outcome.ok, outcome.reason
        for value in fixture.values:
            # Noise margins: two sweeps of different steps. Write margin: the bench finds it to its step of 5 mV.
            tolerance = 0.006 if value == "write_margin" else 0.001
            assert outcome.values[value] == pytest.approx(np.full(3, bench[f"sram6t_{value}"]), abs=tolerance)


@pytest.mark.parametrize("name", ["generic45lp", "sky130"])
def test_a_shift_reaches_its_own_transistor_of_its_own_copy(name: str) -> None:
    process = technology(name)
    corner = Corner(vdd=process.supply.nominal_v)
    fixture = write_margin_fixture(process, corner)
    paths = [each.path for each in fixture.transistors]
    shifts = np.zeros((3, len(paths)))
    # A slow access transistor writes worse, whichever side it is on: the margin is of the harder bit.
    shifts[1, paths.index("sram6t.cell.axl")] = 0.05
    shifts[2, paths.index("sram6t.cell.axr")] = 0.05
    margin = execute(fixture.build(shifts), NgspiceSimulator()).values["write_margin"]
    assert margin[1] < margin[0] - 0.01
    assert margin[2] == pytest.approx(margin[1], abs=1e-5)


def test_the_transistors_of_a_hierarchy_are_listed_with_what_they_stand_for() -> None:
    flat = draw_flat(GENERIC, column6t(GENERIC, 64), {}, path="col")
    by_path = {each.path: each for each in flat.transistors}
    assert len(by_path) == len(flat.transistors)
    assert by_path["col.cell.pdl"].width == pytest.approx(0.2e-6, rel=1e-9, abs=0)
    assert by_path["col.offl"].multiplier == 63
    assert by_path["col.sense.one.p"].device == "pmos"
    hierarchical = [cell for cell in str(column6t(GENERIC, 64).subcircuit()).splitlines() if cell.startswith("M")]
    assert sum(path.count(".") == 1 for path in by_path) == len(hierarchical)


def test_two_copies_share_no_element_and_only_the_named_nodes() -> None:
    flat = draw_flat(GENERIC, column6t(GENERIC, 64), {"wl": "wl", "pcb": "pcb"}, path="col")
    first, second = (flat.copy(tag, [0.0] * len(flat.transistors)) for tag in "01")
    elements, nodes = zip(*(split_names(text) for text in (first, second)), strict=True)
    assert not elements[0] & elements[1]
    assert nodes[0] & nodes[1] == {"0", "wl", "pcb"}


def split_names(text: str) -> tuple[set[str], set[str]]:
    elements, nodes = set(), set()
    for line in text.splitlines():
        words = line.split()
        elements.add(words[0])
        nodes |= set(words[1:5] if re.match("[MX]", line) else words[1:3])
    return elements, nodes


OWN_CELL = """.subckt INV A Y VP
Mn Y A 0 0 nmos45lp l=45n w=0.2u ad=2.2e-14 as=2.2e-14 pd=6.2e-07 ps=6.2e-07
Mp Y A VP VP pmos45lp l=45n w=65n ad=7.15e-15 as=7.15e-15 pd=3.5e-07 ps=3.5e-07
.ends
.subckt MINE BL BLB WL VDD
Xl QN Q VDD INV
Xr Q QN VDD INV
Maxl BL WL Q 0 nmos45lp l=45n w=0.1u ad=1.1e-14 as=1.1e-14 pd=4.2e-07 ps=4.2e-07
Maxr BLB WL QN 0 nmos45lp l=45n w=0.1u ad=1.1e-14 as=1.1e-14 pd=4.2e-07 ps=4.2e-07
.ends
"""
OWN_FIELDS = """[cell_6t.netlist]
file = "cell.sp"
subckt = "MINE"
ports = {bl = "BL", blb = "BLB", wl = "WL", vdd = "VDD", q = "Q", qb = "QN"}

[models]
"""


def test_a_cell_of_the_users_own_is_sampled_transistor_by_transistor(tmp_path: Path) -> None:
    shutil.copy(builtin_folder() / "generic45lp.cards", tmp_path)
    (tmp_path / "cell.sp").write_text(OWN_CELL)
    text = (builtin_folder() / "generic45lp.toml").read_text().replace("[models]\n", OWN_FIELDS)
    (tmp_path / "mine.toml").write_text(text)
    built_in, own = (
        snm_fixture(process, Corner(vdd=1.1)) for process in (GENERIC, load_technology(tmp_path / "mine.toml"))
    )
    names = {"pdl": "l.n", "pul": "l.p", "pdr": "r.n", "pur": "r.p", "axl": "axl", "axr": "axr"}
    shifts = 0.05 * np.random.default_rng(1).standard_normal((3, 6))
    order = [
        [each.path for each in own.transistors].index(f"sram6t.cell.{names[each.path.rpartition('.')[2]]}")
        for each in built_in.transistors
    ]
    same = np.empty_like(shifts)
    same[:, order] = shifts
    first, second = (
        execute(fixture.build(rows), NgspiceSimulator()) for fixture, rows in ((built_in, shifts), (own, same))
    )
    for value in built_in.values:
        assert second.values[value] == pytest.approx(first.values[value], abs=1e-6)


def test_a_transistor_of_unknown_mismatch_is_refused() -> None:
    cell = sram6t(GENERIC)
    strange = Cell(
        name="strange",
        ports=cell.ports,
        sizes={},
        build=lambda c: c.M("1", "q", "wl", "bl", "0", model="special_nfet", raw_spice="w=1e-07 l=4.5e-08"),
    )
    with pytest.raises(NetlistError, match="special_nfet.*add it under devices"):
        draw_flat(GENERIC, strange, {}, path="x")
