"""A third kind of bit cell without a change of the package: a 10T cell with a read buffer, from transistors to energy.

The cell is that of Calhoun and Chandrakasan, "A 256-kb 65-nm sub-threshold SRAM design for ultra-low-voltage operation",
IEEE J. Solid-State Circuits 42 (2007): a 6T core, and a buffer of four transistors between a storage node and the read
bitline. Two n transistors on the read wordline are in series with a third one, which the storage node drives. A p transistor
holds the node between the first two at the supply while the buffer is off: an unselected cell leaks little from the
read bitline, whatever its bit.
"""

from dataclasses import replace

import numpy as np
import pytest

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.characterization.benches.array import ArrayRun, array_deck, array_simulation
from pyspice_cim.characterization.benches.column import column_bench
from pyspice_cim.characterization.benches.sram8t import TRANSITIONS, reduce_writes
from pyspice_cim.characterization.benches.testbench import BenchCircuit, instance
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import Measurement, Outcome, Simulation, execute, reducer_name
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import ConfigError, NetlistError, TableError, TechnologyError
from pyspice_cim.microcode import Operation, columns_at_rest
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.columns.cell_ports import read_column, write_column
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Lookup, Table, load_table
from pyspice_cim.technology import Corner, load_technology
from pyspice_cim.technology.bitcells import BITCELLS, BitCell, Roles, TableNames, Transistor, register_bitcell
from pyspice_cim.technology.bitcells.sram6t import core
from pyspice_cim.technology.loader import builtin_folder, parse_technology, read_toml
from pyspice_cim.validation.cosim import CosimSpec, draw_vector, vector_layer, vector_run

BUFFER = (
    Transistor("m7", "y", "s1", "0", "0", "nmos", "read"),
    Transistor("m8", "z", "rd", "y", "0", "nmos", "read"),
    Transistor("m9", "rb", "rd", "z", "0", "nmos", "read"),
    Transistor("m10", "z", "s1", "vv", "vv", "pmos", "hold"),
)


def renamed(each: Transistor) -> Transistor:
    names = {"q": "s1", "qb": "s0", "vdd": "vv"}
    return Transistor(each.name, *(names.get(node, node) for node in each.nodes), each.device, each.width)


# Other names, and another order of the ports, than the built-in cells have.
TOY = BitCell(
    name="toy10t",
    label="10T",
    transistors=(*map(renamed, core(bitlines=("wt", "wc"), wordline="wr")), *BUFFER),
    ports={
        "vv": "supply",
        "rb": "read bitline",
        "rd": "read wordline",
        "wr": "write wordline",
        "wt": "write bitline",
        "wc": "write bitline of the complement",
        "s1": "stored bit",
        "s0": "its complement",
    },
    roles=Roles(
        write_bitlines=("wt", "wc"),
        write_wordline="wr",
        read_bitline="rb",
        read_wordline="rd",
        bit="s1",
        complement="s0",
        supply="vv",
    ),
    table=TableNames(leakage="cell10t_leakage", write_energy="toy10t_write_energy", rows="toy10t_rows"),
)
SIZES = {
    "width_um": 1.8,
    "height_um": 0.75,
    "widths_um": {"pull_down": 0.1, "pull_up": 0.065, "access": 0.11, "read": 0.15, "hold": 0.07},
    "source": "chosen: the 8T cell of generic45lp, and a read stack of wider transistors",
}
CORNER = Corner(vdd=1.1)
REFERENCE = load_table(shipped("reference", "generic45lp.h5"))


@pytest.fixture(autouse=True)
def registered():
    register_bitcell(TOY)
    yield
    del BITCELLS[TOY.name]


def made(**cells):
    path = builtin_folder() / "generic45lp.toml"
    return parse_technology({**read_toml(path), "cells": cells}, path)


@pytest.fixture
def technology(registered):
    return made(toy10t=SIZES)


def array_run(**shape):
    """A decay and two accumulates, after which the two columns hold 5 - 2 + 3 - 4 = 2 and -7 + 6 - 5 + 7 = 1."""
    program = [
        Operation(name="decay", k0=-2, k1=6, capture=True),
        Operation(name="accumulate", weight=0, za=False),
        Operation(name="accumulate", weight=1),
    ]
    return ArrayRun(
        shape=ArrayShape(
            **{"columns": 2, "bits": 5, "inputs": 2, "weight_bits": 4, "rows": 16, "segments": 1, "bitcell": TOY.name}
            | shape
        ),
        weights=np.array([[3, -5], [-4, 7]]),
        state=replace(columns_at_rest(np.array([5, -7]), theta=0), word=np.array([5, -7]), flag=np.array([0, 1])),
        program=program,
        timing=Timing(cycle=2.4e-9),
    )


def test_an_array_of_third_cells_computes(technology):
    run = array_run()
    assert [state.word.tolist() for state in run.states()] == [[3, -1], [6, -6], [2, 1]]
    outcome = execute(array_simulation(technology, CORNER, run, title="10T"), NgspiceSimulator())
    # Every bit of every operation is right, or there would be a reason.
    assert outcome.ok, outcome.reason
    assert (outcome.values["columns"].sum(axis=(1, 2)) > 0).all()


def test_a_third_cell_that_reads_its_complement_computes_something_else(technology):
    """The test above can fail: here the other storage node drives the read buffer."""
    crossed = tuple(replace(each, gate="s0" if each.gate == "s1" else each.gate) for each in BUFFER)
    register_bitcell(replace(TOY, transistors=(*TOY.transistors[:6], *crossed)))
    simulation = array_simulation(technology, CORNER, array_run(), title="10T, crossed")
    outcome = execute(simulation, NgspiceSimulator())
    assert not outcome.ok and "wrong bits" in outcome.reason


def test_the_array_is_drawn_from_the_cell(technology):
    text = array_deck(technology, CORNER, array_run(), title="10T").text
    assert ".subckt toy10t vv rb rd wr wt wc s1 s0\n" in text and "sram8t" not in text
    # Ports in the order of the cell; weights have their write port at ground.
    assert "Xv1_2 vc1 rv_1 rwv2 wwv2 wbl1 wblb1 qv1_2 qbv1_2 toy10t" in text
    assert "Xw0_1_3 vc0 seg0_0 rww7 0 0 0 qw0_1_3 qbw0_1_3 toy10t" in text
    # Unused rows load each bitline with its own transistor: 11 of 16 rows are not drawn.
    assert "Mspare_rv_0 rv_0 0 0 0 nmos45lp l=4.5e-08 w=1.5e-07" in text
    assert "Mspare_wbl0 wbl0 0 0 0 nmos45lp l=4.5e-08 w=1.1e-07" in text
    # Control lines are as long as the cells of both columns are wide.
    (wire,) = (line.split()[3] for line in text.splitlines() if line.startswith("Cwph1 "))
    assert float(wire) == pytest.approx(technology.wire.c_ff_per_um * 1e-15 * 1.8 * 2)


def test_a_p_transistor_on_a_bitline_is_off_at_the_supply(technology):
    swapped = tuple(replace(each, device="pmos", bulk="vv") if each.name == "m9" else each for each in BUFFER)
    swapped = tuple(replace(each, width="other") if each.name == "m9" else each for each in swapped)
    register_bitcell(replace(TOY, transistors=(*TOY.transistors[:6], *swapped)))
    technology = made(toy10t=SIZES | {"widths_um": SIZES["widths_um"] | {"other": 0.2}})
    text = array_deck(technology, CORNER, array_run(), title="10T").text
    assert "Mspare_rv_0 rv_0 vc0 0 vc0 pmos45lp l=4.5e-08 w=2e-07" in text


def test_the_columns_of_a_bench_are_drawn_from_the_cell(technology):
    text = str(read_column(technology, 8, TOY).subcircuit())
    # The whole buffer of seven other rows, which hold a 1: s1 is at the supply, the wordline at ground.
    assert ".subckt read_column10t" in text
    off = {line.split(" l=")[0] for line in text.splitlines() if line.startswith("Moff")}
    assert off == {
        "Moffm9 rbl 0 idle 0 nmos45lp",
        "Moffm8 idle 0 idle1 0 nmos45lp",
        "Moffm10 idle vcell vcell vcell pmos45lp",
        "Moffm7 idle1 vcell 0 0 nmos45lp",
    }
    with pytest.raises(NetlistError, match="sram6t has no read port of its own"):
        write_column(technology, 8, BITCELLS["sram6t"])


def toy10t_bench(technology, corner, *, rows):
    """The bench of the cell: its four writes, with the drivers and the schedule of the 8T bench."""
    tau = 50e-12
    bench, column = BenchCircuit(technology, corner, "10T writes"), write_column(technology, rows, TOY)
    bench.define(column)
    opened, closed, stop, sources = 6 * tau, 16 * tau, 30 * tau, []
    for tag, (old, *_, new) in enumerate(TRANSITIONS):
        lines = {"d": (1 - int(new), [(2 * tau, int(new))]), "db": (int(new), [(2 * tau, 1 - int(new))])}
        lines["wwl"] = (0, [(opened, 1), (closed, 0)])
        bench.supply(f"vc{tag}", f"vp{tag}")
        for line, (start, changes) in lines.items():
            bench.line(f"{line}{tag}", start, changes, 0.5 * tau)
        bench.initial |= {f"q{tag}": int(old) * corner.vdd, f"qb{tag}": (1 - int(old)) * corner.vdd}
        bench.save(f"q{tag}", f"qb{tag}")
        names = {port: f"{port}{tag}" for port in ("d", "db", "wwl", "wbl", "wblb", "q", "qb")}
        instance(bench.circuit, str(tag), column, {**names, "vcell": f"vc{tag}", "vdrive": f"vp{tag}"})
        sources.append([f"vvc{tag}", f"vvp{tag}", *(f"v{line}{tag}" for line in lines)])
    arguments = {"vdd": corner.vdd, "edges": [tau, stop], "opened": opened, "sources": sources}
    deck = bench.transient(stop, 2 * tau, 0.5 * tau)
    (outcome,) = yield [Simulation(deck=deck, reducer=reducer_name(reduce_writes), arguments=arguments)]
    names = BITCELLS[TOY.name].table
    energy = outcome.values["write_energy"] if outcome.ok else None
    return [Measurement(name=names.write_energy, unit="J", value=energy, reason=outcome.reason)]


def leakages(technology):
    """What the column bench measures of an idle column, in a world in which a cell leaks 12 pW."""
    bench = column_bench(technology, CORNER, rows=16, segments=1, bitcell=TOY.name)
    wanted, answer = next(bench), []
    try:
        while True:
            if len(wanted) == 1:
                answer = [Outcome(values={}, deck_sha256="0", cpu_seconds=0.0)]
            else:
                values = {"slice": np.array(2e-10), "cell": np.array(12e-12)}
                failure = Failure(Status.REJECTED, "not simulated")
                failed = Outcome(values={}, failure=failure, deck_sha256="1", cpu_seconds=0.0)
                idle = Outcome(values=values, deck_sha256="2", cpu_seconds=0.0)
                answer = [failed] * (len(wanted) - 2) + [idle] * 2
            wanted = bench.send(answer)
    except StopIteration as stop:
        return {each.name: each.value for each in stop.value if each.ok}


@pytest.fixture(scope="module")
def of_third_cells():
    """The reference table as if of 10T columns, and the energies of the four writes (J)."""
    register_bitcell(TOY)
    technology = made(toy10t=SIZES)
    (written,) = run_one(toy10t_bench(technology, CORNER, rows=16))
    assert written.ok, written.reason
    leaked = leakages(technology)
    assert TOY.table.leakage in leaked and "cell8t_leakage" not in leaked
    data = REFERENCE.dataset
    leakage, energy = data["cell8t_leakage"], data["sram8t_write_energy"]
    data = data.drop_vars([name for name in data.data_vars if "8t_" in name])
    data[TOY.table.leakage] = (leakage.dims, np.full(leakage.shape, leaked[TOY.table.leakage]), {"units": "W"})
    energy = energy.rename({name: name.replace("sram8t", "toy10t") for name in energy.dims if "sram8t" in name})
    energy = energy.transpose(..., *[name for name in energy.dims if "transition" in name])
    data[TOY.table.write_energy] = energy.copy(data=np.broadcast_to(written.value, energy.shape))
    del BITCELLS[TOY.name]
    return Table(dataset=data), np.array(written.value)


def run_network(table, bitcell):
    """A layer whose inputs need two macros, so that sums are sent and scratch cells written."""
    rng = np.random.default_rng(3)
    params = LDLIFParams(lambda_=2, theta=20)
    layer = FullyConnected(weights=rng.integers(-8, 8, (60, 24)).astype(np.int8), weight_bits=4, params=params)
    config = MacroConfig(technology="generic45lp", neurons=24, inputs=40, rows=16, bitcell=bitcell)
    spikes = (rng.random((6, 3, 60)) < 0.3).astype(np.uint8)
    network = MappedNetwork([layer], (60,), table, config, compare=())
    return network, network.run(spikes, energy="exact")


def test_a_network_runs_on_macros_of_third_cells_from_spikes_to_energy(of_third_cells):
    table, written = of_third_cells
    network, report = run_network(table, TOY.name)
    eight, other = run_network(REFERENCE, "sram8t")
    np.testing.assert_array_equal(report.membranes, other.membranes)
    np.testing.assert_array_equal(report.spike_counts, other.spike_counts)
    (ours,), (theirs,) = network.layers, eight.layers
    config = ours.mapped.config
    # All the rest of the table is equal: leakage differs by the cells of both macros.
    place = {"vdd": 1.1, "temperature_c": 27.0, "column_rows": 16, "column_segments": config.segments}
    difference = 12e-12 - float(Lookup(REFERENCE)("cell8t_leakage", **place))
    cells = 2 * config.neurons * config.rows * (1 + config.segments)
    assert ours.leakage - theirs.leakage == pytest.approx(cells * difference, rel=1e-9)
    np.testing.assert_allclose(np.sort(ours.write_energy), np.sort(written), rtol=1e-12)
    mine, others = report.energy_components, other.energy_components
    assert {name for name in mine if mine[name] != others[name]} == {"leakage", "scratch_writes"}
    assert mine["leakage"] > 0 and mine["scratch_writes"] > 0 and report.energy > 0


def test_co_simulation_draws_the_cell_of_the_macro(of_third_cells):
    spec = CosimSpec(vectors=1, neurons=2, inputs=2, membrane_bits=5)
    vector = draw_vector(spec, 0)
    run = vector_run(vector, vector_layer(vector, spec, of_third_cells[0], {"bitcell": TOY.name}))
    assert run.shape.kind is TOY


def test_a_table_of_other_columns_and_a_cell_that_makes_no_array_are_refused(of_third_cells):
    with pytest.raises(TableError, match="no (quantity|value of) '?cell10t_leakage"):
        run_network(REFERENCE, TOY.name)
    with pytest.raises(TableError, match="no (quantity|value of) '?cell8t_leakage"):
        run_network(of_third_cells[0], "sram8t")
    with pytest.raises(
        ConfigError, match="bitcell is 'sram6t', of which no array is made; choose one of sram8t, toy10t"
    ):
        MacroConfig(technology="generic45lp", neurons=4, inputs=4, bitcell="sram6t")
    with pytest.raises(
        ConfigError, match="bitcell is '9t'; choose one of sram6t, sram8t, toy10t, or register the cell"
    ):
        array_run(bitcell="9t")


def test_sizes_are_checked_when_the_technology_is_read_and_when_the_cell_is_drawn():
    assert made().sha256 == load_technology("generic45lp").sha256 != made(toy10t=SIZES).sha256
    with pytest.raises(TechnologyError, match=r"cells.toy10t.widths_um.read = 0.05 is outside devices.nmos.w_um"):
        made(toy10t=SIZES | {"widths_um": SIZES["widths_um"] | {"read": 0.05}})
    narrow = {name: width for name, width in SIZES["widths_um"].items() if name != "hold"}
    with pytest.raises(TechnologyError, match=r"cells.toy10t.widths_um.hold is missing"):
        array_deck(made(toy10t=SIZES | {"widths_um": narrow}), CORNER, array_run(), title="10T")
    with pytest.raises(TechnologyError, match=r"generic45lp has no sizes of toy10t; add \[cells.toy10t\] to its TOML"):
        array_deck(made(), CORNER, array_run(), title="10T")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "10t; quit"}, "is no plain identifier"),
        ({"transistors": (*TOY.transistors, TOY.transistors[0])}, "two transistors are named pdl"),
        ({"ports": {**TOY.ports, "well": "bulk"}}, "well has no role or is no port"),
        ({"transistors": BUFFER}, "no transistor is connected to port"),
        ({"roles": replace(TOY.roles, read_bitline="wt")}, "rb has no role"),
    ],
)
def test_a_cell_that_cannot_be_drawn_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        replace(TOY, **changes)
    with pytest.raises(ConfigError, match="an array needs a read bitline of its own"):
        replace(BITCELLS["sram6t"], table=TOY.table)


def test_a_users_netlist_of_a_third_cell_is_drawn_in_its_place(tmp_path):
    cards = "\n".join(
        f"M{each.name} {' '.join(each.nodes)} {each.device}45lp l=4.5e-08 w={SIZES['widths_um'][each.width]}u"
        for each in TOY.transistors
    )
    (tmp_path / "generic45lp.cards").write_bytes((builtin_folder() / "generic45lp.cards").read_bytes())
    (tmp_path / "cell.sp").write_text(f".subckt mine {' '.join(reversed(TOY.ports))}\n{cards}\n.ends\n")
    netlist = {"file": "cell.sp", "subckt": "mine", "ports": {port: port for port in TOY.ports}}
    data = read_toml(builtin_folder() / "generic45lp.toml") | {"cells": {"toy10t": SIZES | {"netlist": netlist}}}
    technology = parse_technology(data, tmp_path / "mine.toml")
    text = array_deck(technology, CORNER, array_run(), title="10T").text
    assert ".subckt toy10t vv rb rd wr wt wc s1 s0\n" in text and "Mm10 n_z s1 vv vv pmos45lp" in text
    wrong = SIZES | {"netlist": netlist, "widths_um": SIZES["widths_um"] | {"read": 0.2}}
    with pytest.raises(
        TechnologyError, match=r"cells.toy10t.widths_um.read = 0.2, but the transistors on rb have 0.15"
    ):
        parse_technology(data | {"cells": {"toy10t": wrong}}, tmp_path / "mine.toml")
    with pytest.raises(TechnologyError, match=r"cells.toy10t.netlist.ports lacks rd"):
        missing = netlist | {"ports": {port: port for port in TOY.ports if port != "rd"}}
        parse_technology(data | {"cells": {"toy10t": SIZES | {"netlist": missing}}}, tmp_path / "mine.toml")
