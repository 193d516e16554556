"""One contract: benches write what it says, nobody types its names again, and others join from outside the package."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyspice_cim
from pyspice_cim.behavioral.macro.calibration import calibrate
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.characterization.benches.quantities import measured
from pyspice_cim.characterization.engine.engine import BenchRun
from pyspice_cim.characterization.plans import registry
from pyspice_cim.characterization.plans.plan import load_plan, plan_points
from pyspice_cim.characterization.plans.registry import BENCHES, BenchKind, register_kind
from pyspice_cim.characterization.plans.sweep import assemble
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.errors import NetlistError, PlanError, TableError
from pyspice_cim.netlists.columns.array import COLUMN_SUPPLIES
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Lookup, contract, load_table, save_table
from pyspice_cim.tables.contract import COLUMN_EVENT_ENERGY, COMPONENT, CONTRACT, DRIVER_ENERGY, register_bench
from pyspice_cim.tables.origin import origin
from pyspice_cim.tables.quantity import BenchAxis, BenchContract, OwnAxis, Quantity
from pyspice_cim.tables.summary import summary
from pyspice_cim.technology import Corner, load_technology
from pyspice_cim.technology.bitcells import BITCELLS, TableNames, table_names

TECHNOLOGY = load_technology("generic45lp")
CORNER = Corner(process="tt", vdd=1.1, temperature_c=27.0)
PACKAGE = Path(pyspice_cim.__file__).parent
# A bit cell names the quantities by which a macro knows it, and the contract takes them from there.
CELLS = PACKAGE / "technology" / "bitcells"
EVERY = [(bench, quantity) for bench in CONTRACT.benches.values() for quantity in bench.quantities]
TABLES = ("generic45lp", "generic65", "sky130", "generic45lp_variation")


def failed(reason):
    return Outcome(values={}, failure=Failure(Status.REJECTED, reason), deck_sha256="0" * 64, cpu_seconds=0.0)


def driven(bench, reason="the moon is full"):
    """The measurements of ``bench``, all of whose simulations fail."""
    wanted = next(bench)
    while True:
        try:
            wanted = bench.send([failed(reason) for _ in wanted])
        except StopIteration as stop:
            return stop.value


def started(name):
    kind = BENCHES[name]
    coordinates = dict.fromkeys(kind.axes, 8)
    return kind.start(TECHNOLOGY, CORNER, coordinates, monte_carlo=MonteCarloSettings(count=4))


@pytest.mark.parametrize("name", CONTRACT.benches)
def test_a_bench_writes_what_the_contract_says_even_if_it_fails(name):
    found = {each.name: each for each in driven(started(name))}
    declared = {quantity.name: quantity for quantity in CONTRACT.benches[name].quantities}
    assert found.keys() == declared.keys()
    for each in found.values():
        quantity = declared[each.name]
        assert (each.unit, each.dims) == (quantity.unit, tuple(axis.name for axis in quantity.own)), each.name
        assert each.description.startswith(quantity.description) and each.reason
        for axis in quantity.own:
            assert each.labels[axis.name] == (axis.labels or each.labels[axis.name]), each.name


@pytest.mark.parametrize("name", TABLES)
def test_the_shipped_tables_hold_what_the_contract_says(name):
    table = load_table(shipped("reference", f"{name}.h5"))
    for bench in {str(table.dataset[each].attrs["bench"]) for each in table.quantities}:
        declared = {quantity.name: quantity for quantity in CONTRACT.benches[bench].quantities}
        held = [each for each in table.quantities if table.dataset[each].attrs["bench"] == bench]
        assert set(held) == declared.keys()
        for each in held:
            array, quantity = table.quantity(each), declared[each]
            assert array.attrs["units"] == quantity.unit
            # A file of the package has moved since.
            told = array.attrs["long_name"].replace("margins_cycle.py", "variation/cycle.py")
            assert told.startswith(quantity.description)
            axes = [CONTRACT.benches[bench].stored(axis.name) for axis in CONTRACT.benches[bench].axes]
            assert array.dims == ("process", "vdd", "temperature_c", *axes, *(axis.name for axis in quantity.own))
            for axis in quantity.own:
                if axis.labels is not None:
                    assert tuple(array[axis.name].values.tolist()) == axis.labels, each
            scale = array.attrs.get("interpolation", "linear")
            # A logarithm needs values above 0.
            assert scale == quantity.interpolation or (scale == "linear" and not (array.values > 0).all())


def test_every_bench_of_plans_has_a_contract_and_every_contract_a_bench():
    assert set(BENCHES) == set(CONTRACT.benches)
    assert COMPONENT.texts == tuple(COLUMN_SUPPLIES)


def test_the_contract_and_the_bit_cell_name_the_same_quantities(toy):
    names = table_names("sram8t")
    assert contract.cell_leakage("sram8t") is contract.CELL8T_LEAKAGE is CONTRACT.find(names.leakage)[1]
    assert contract.SRAM8T_WRITE_ENERGY is CONTRACT.find(names.write_energy)[1]
    assert contract.SRAM8T.stored("rows") == names.rows


def test_a_cell_from_outside_may_declare_its_leakage_or_leave_it_to_the_column(toy, monkeypatch):
    cell = replace(BITCELLS["sram8t"], name="mine", label="12T", section="", table=TOY_NAMES)
    monkeypatch.setitem(BITCELLS, "mine", cell)
    found = contract.cell_leakage("mine")
    assert (found.name, found.unit, "12T" in found.description) == ("my_leakage", "W", True)
    mine = contract.register_quantity("column", Quantity(name="my_leakage", unit="W", description="leakage of mine"))
    assert contract.cell_leakage("mine") is mine


def literals(tree):
    """Every text in the code, and every f-string as a pattern."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
            # A pattern of names has the beginning of a name, or a word within it: f"{bench}_{axis}" fits everything.
            if "_" in (parts[0] or "") or any(part is not None and re.search("_[a-z]+_", part) for part in parts):
                yield node.lineno, "".join(".+" if part is None else re.escape(part) for part in parts)


def test_no_name_of_a_quantity_is_typed_outside_the_contract():
    names = "\n".join(quantity.name for _, quantity in EVERY)
    typed = [
        f"{path.relative_to(PACKAGE)}:{line}: {pattern}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "tables" / "contract.py" and path.parent != CELLS
        for line, pattern in literals(ast.parse(path.read_text()))
        if re.search(f"(?m)^{pattern}$", names)
    ]
    assert not typed, "\n".join(typed)


def test_the_search_for_typed_names_finds_them():
    tree = ast.parse('a = "slice_leakage"\nb = f"sequential_{part}_time"\nc = f"{bench}_{axis}"')
    found = [
        bool(re.search(f"(?m)^{pattern}$", "slice_leakage\nsequential_read_time")) for _, pattern in literals(tree)
    ]
    assert found == [True, True]


# ---- from outside the package ----------------------------------------------------------------------------------------

TOY = Quantity(
    name="toy_energy",
    unit="J",
    description="energy of a toy",
    own=(OwnAxis(name="component", labels=("clock", "controller")),),
)
TOY_NAMES = TableNames(leakage="my_leakage", write_energy="my_write_energy", rows="mine_rows")
PLAN = """
name = "toys"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.column]
rows = [16]
segments = [1]
[benches.toy]
size = [2, 4]
"""


def toy_bench(technology, corner, *, size):
    yield []
    return [measured(TOY, np.array([size, corner.vdd]), decks=("1" * 64,))]


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(CONTRACT, "benches", dict(CONTRACT.benches))
    monkeypatch.setattr(registry, "BENCHES", BENCHES)
    before = dict(BENCHES)
    axes = (BenchAxis(name="size", meaning="size of a toy"),)
    register_kind(BenchKind(toy_bench, register_bench(BenchContract(name="toy", axes=axes, quantities=(TOY,)))))
    yield
    BENCHES.clear()
    BENCHES.update(before)


def made(tmp_path, value):
    """A table in which every quantity of the column has ``value``, beside the toy."""
    (tmp_path / "toys.toml").write_text(PLAN)
    plan = load_plan(tmp_path / "toys.toml")
    points, runs = plan_points(plan, TECHNOLOGY), []
    for point in points:
        if point.bench == "toy":
            bench = toy_bench(TECHNOLOGY, point.corner, **point.coordinates)
            next(bench)
            try:
                bench.send([])
            except StopIteration as stop:
                found = stop.value
        else:
            found = []
            for quantity in CONTRACT.benches["column"].quantities:
                shape = [len(axis.labels) for axis in quantity.own]
                array = None if value is None else np.full(shape, value)
                found.append(measured(quantity, array, reason="" if array is not None else "it melted"))
        runs.append(BenchRun(measurements=found))
    origins = {"technology": TECHNOLOGY.name, "technology_sha256": TECHNOLOGY.sha256, "ngspice": "ngspice-fake"}
    save_table(assemble(plan, points, runs, origin=origins), tmp_path / "t.h5")
    return load_table(tmp_path / "t.h5")


def test_a_toy_quantity_of_a_toy_bench_is_in_the_table(toy, tmp_path):
    table = made(tmp_path, 1.0)
    found = Lookup(table)("toy_energy", vdd=1.05, temperature_c=27, toy_size=3, labels={"component": "controller"})
    assert found == pytest.approx(1.05)


def test_two_benches_may_both_have_a_component(toy, tmp_path):
    """Once the later labels replaced the earlier ones, and another number of labels was a traceback."""
    table = made(tmp_path, 1.0)
    for name, labels in ((COLUMN_EVENT_ENERGY.name, COMPONENT.texts), ("toy_energy", ("clock", "controller"))):
        assert tuple(table.quantity(name)["component"].values.tolist()) == labels
    column = {"vdd": 1.0, "temperature_c": 27, "column_rows": 16, "column_segments": 1}
    assert Lookup(table)(COLUMN_EVENT_ENERGY.name, labels={"component": "logic"}, **column).shape == (20,)
    with pytest.raises(TableError, match="component is 'clock'; column_event_energy has logic"):
        Lookup(table)(COLUMN_EVENT_ENERGY.name, labels={"component": "clock"}, **column)
    explained = origin(table, "toy_energy", vdd=1.0, size=2, labels={"component": "clock"})
    assert explained.value == 2.0 and explained.chosen == {"component": "clock"}
    # The stored name, which h5py shows, means the same axis.
    assert origin(table, "toy_energy", vdd=1.0, size=2, labels={"toy_component": "clock"}).value == 2.0
    # Only where two axes have one name does the overview tell them apart.
    told = summary(table)
    assert told["axes"]["toy_component"]["values"] == ["clock", "controller"]
    assert told["axes"]["column_component"]["values"] == list(COMPONENT.texts)
    assert "event" in told["axes"] and "column_event" not in told["axes"]


def test_names_that_are_taken_are_refused(toy):
    for name, quantity, words in (
        ("toy", TOY, "a bench 'toy' already"),
        ("other", TOY, "a quantity 'toy_energy' already"),
    ):
        with pytest.raises(ValueError, match=words):
            register_bench(BenchContract(name=name, quantities=(quantity,)))
    second = Quantity(name="toy_time", unit="s", description="", own=(OwnAxis(name="component", labels=("other",)),))
    with pytest.raises(ValueError, match="two different axes 'component'"):
        CONTRACT.register_quantity("toy", second)
    bits = BenchAxis(name="bits", meaning="")
    with pytest.raises(ValueError, match="stores its axes as sequential_membrane_bits"):
        register_bench(BenchContract(name="sequential_membrane", quantities=(), axes=(bits,)))
    CONTRACT.register_quantity("toy", Quantity(name="toy_time", unit="s", description="time of a toy", own=TOY.own))
    assert CONTRACT.find("toy_time")[1].interpolation == "log"


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_table_whose_points_failed_says_why(toy, tmp_path):
    """Once the table lacked the axis ``event``, and the calibration ended in a KeyError."""
    table = made(tmp_path, None)
    assert table.quantity(COLUMN_EVENT_ENERGY.name).dims[-2:] == ("component", "event")
    macro = MacroConfig(technology="generic45lp", neurons=8, inputs=4)
    with pytest.raises(TableError, match=r"column_event_energy has no value at .*column_rows.*it melted"):
        calibrate(macro, table)


def test_a_quantity_of_points_without_netlists_says_why(toy, tmp_path):
    table = made(tmp_path, None)
    dropped = [name for name in table.quantities if table.dataset[name].attrs["bench"] == "column"]
    table.dataset.drop_vars(dropped).to_netcdf(tmp_path / "n.h5", engine="h5netcdf")
    table = load_table(tmp_path / "n.h5")
    with pytest.raises(TableError, match="has no value of column_event_energy: .*it melted"):
        table.quantity(COLUMN_EVENT_ENERGY.name)
    with pytest.raises(TableError, match="no quantity 'driver_energy'"):
        table.quantity(DRIVER_ENERGY.name)


def test_an_old_table_whose_points_failed_is_migrated(toy, tmp_path):
    table = made(tmp_path, None)
    old = table.dataset.drop_vars([name for name in table.quantities if name != COLUMN_EVENT_ENERGY.name])
    lost = old[COLUMN_EVENT_ENERGY.name].isel(column_component=0, column_event=0, drop=True)
    old = old.drop_vars([COLUMN_EVENT_ENERGY.name, "column_component", "column_event"]).assign({lost.name: lost})
    old.assign_attrs(schema_version=1).to_netcdf(tmp_path / "old.h5", engine="h5netcdf")
    found = load_table(tmp_path / "old.h5")
    assert found.quantity(COLUMN_EVENT_ENERGY.name).dims[-2:] == ("component", "event")
    with pytest.raises(TableError, match="it melted"):
        calibrate(MacroConfig(technology="generic45lp", neurons=8, inputs=4), found)
    # Written as schema 2, a quantity without its axes is no table.
    old.assign_attrs(schema_version=2).to_netcdf(tmp_path / "new.h5", engine="h5netcdf")
    with pytest.raises(TableError, match="column_event_energy without its axis component, event"):
        load_table(tmp_path / "new.h5")


def test_a_look_up_has_the_reasons_of_its_own_bench_alone(toy, tmp_path):
    table = made(tmp_path, None)
    reasons = table.dataset["point_reason"].values.copy()
    status = table.dataset["point_status"].values.copy()
    reasons, status = reasons.astype(object), status.astype(object)
    toys = table.dataset["point_bench"].values == "toy"
    reasons[toys], status[toys] = "the spring broke", "failed"
    table.dataset["point_reason"] = ("point", reasons.astype(str))
    table.dataset["point_status"] = ("point", status.astype(str))
    with pytest.raises(TableError) as caught:
        Lookup(table)("slice_leakage", vdd=1.0, temperature_c=27, column_rows=16, column_segments=1)
    assert "it melted" in str(caught.value) and "spring" not in str(caught.value)


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bench", "words"),
    [
        ("[benches.decoder]\nrows = [1, 8]", "benches.decoder: "),
        ("[benches.sequential]\nrows = [1]\nmembrane_bits = [8]", "benches.sequential: "),
        ("[benches.sequential]\nrows = [8]\nmembrane_bits = [64]", "benches.sequential: "),
        ("[benches.column]\nrows = [4]\nsegments = [4]", "benches.column: rows = 4"),
        ("[benches.column]\nrows = [6]\nsegments = [1]", "benches.column: segments = 1 with rows = 6"),
        ("[benches.tail]\nrows = [7]\n[monte_carlo]\ncount = 8", "benches.tail: rows = 7 do not hold the 8 bits"),
        ("[benches.monte_carlo]\nrows = [7]\n[monte_carlo]\ncount = 8", "benches.monte_carlo: rows = 7"),
    ],
)
def test_a_coordinate_that_a_bench_cannot_simulate_is_refused_when_the_plan_is_read(tmp_path, bench, words):
    path = tmp_path / "p.toml"
    path.write_text(PLAN.partition("[benches")[0] + bench)
    with pytest.raises(PlanError, match=re.escape(words)):
        load_plan(path)


@pytest.mark.parametrize(
    ("name", "lowest"),
    [
        ("sram6t", {"rows": 1}),
        ("sram8t", {"rows": 1}),
        ("column", {"rows": 6, "segments": 2}),
        ("decoder", {"rows": 2}),
        ("sequential", {"rows": 2, "membrane_bits": 2}),
        ("monte_carlo", {"rows": 8}),
        ("tail", {"rows": 8}),
    ],
)
def test_the_bounds_are_those_of_the_netlists(name, lowest):
    """At the lowest coordinates that its check lets pass, a bench draws its decks."""
    kind = BENCHES[name]
    kind.check(**lowest)
    assert driven(kind.start(TECHNOLOGY, CORNER, lowest, monte_carlo=MonteCarloSettings(count=4)))
    for axis in lowest:
        if lowest[axis] > 2:
            with pytest.raises(NetlistError):
                kind.check(**{**lowest, axis: lowest[axis] - 1})
