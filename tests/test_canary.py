"""No text that a user opens runs a command, or reads or writes another file: each hostile line by each way into a deck.

A line either is refused, or ngspice runs with it and nothing happens. ngspice lowers the case of a command, so the paths
here hold no capitals: with one, the test could not fail.
"""

import pickle
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyspice_cim.characterization.benches.testbench import BenchCircuit, instance
from pyspice_cim.characterization.devices.curves import transfer_deck
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, find_ngspice
from pyspice_cim.characterization.spice.simulation import Simulation, execute
from pyspice_cim.errors import CimError, NetlistError
from pyspice_cim.netlists.analysis import Op
from pyspice_cim.netlists.cells.bitcells import sram6t
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, load_technology
from pyspice_cim.technology.loader import builtin_folder

NOMINAL = Corner(vdd=1.1)
# What ngspice takes for the beginning of a comment, or makes one of.
MARKS = [*"*;$!=[]?()&%\",:{}<>|^~`'@\\/+-.0rmxcbva_", "\f", "\v", "\t*", "//", "* ", "\x1c", "é"]
DOTS = (".control\n{command}\n.endc", ".controlx\n{command}\n.endc", ".exec {command}", ".execute {command}")
CODE = ("d_process", "d_process*1", "filesource", "filesource*1", "d_source/1", "numd", "numos", "nbjt")
COMMAND = "{command}"
# In braces: the command, and the file that must not be there.
LINES = {
    **{f"mark {mark!r}": f"{mark}#{COMMAND}" for mark in MARKS},
    **{f"mark and blank {mark!r}": f"{mark} #{COMMAND}" for mark in MARKS},
    **{f"card {number}": text for number, text in enumerate(DOTS)},
    **{
        f"model {kind}": f'.model m {kind} level=1 process_file="{{file}}" file="{{file}}" input_file="{{file}}"'
        f'\n+ output stat rootfile="{{file}}"\na1 [a] [b] m\nd1 a 0 m'
        for kind in CODE
    },
    "write": ".write {file}",
    "write in comments": "*#write {file}",
    "print": ".print dc v(gate) > {file}",
    "option": ".option filetype=ascii rawfile={file}",
    "include": ".include {file}",
    "library": ".lib {file} tt",
    "quoted": ".param x=`{command}`",
    "continued": ".model m\n+ d_process process_file={file}",
    "continued by backslashes": ".model m \\\\\nd_process process_file={file}",
    "continues": "+#{command}",
}
# How a line stands among others.
FRAMES = {
    "alone": "{line}",
    "in an unused subcircuit": ".subckt zz a b\n{line}\n.ends",
    "in an unused macro": ".macro zz a b\n{line}\n.eom",
    "where a condition is false": ".if (0)\n{line}\n.endif",
    "behind a card": ".param zz=1 {line}",
    "behind a comment": "* {line}",
}


class Canary:
    """A folder that must stay as it is, and the command that would put a file there."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"canary{secrets.token_hex(4)}", dir="/tmp"))
        assert str(self.folder) == str(self.folder).lower()
        self.file = self.folder / "sings"

    def hostile(self, line: str, frame: str) -> str:
        text = FRAMES[frame].replace("{line}", LINES[line])
        return text.replace("{command}", f"shell touch {self.file}").replace("{file}", str(self.file))

    def check(self, run: Callable[[], object]) -> None:
        """``run`` either refuses or does nothing that can be seen."""
        try:
            run()
        except CimError as refused:
            assert str(refused)
        assert not list(self.folder.iterdir())


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    shutil.rmtree(found.folder)


def built_in(folder: Path) -> Path:
    for name in ("generic45lp.toml", "generic45lp.cards"):
        shutil.copy(builtin_folder() / name, folder / name)
    return folder / "generic45lp.toml"


def before_models(folder: Path, text: str) -> Path:
    path = built_in(folder)
    cards = path.with_suffix(".cards")
    cards.write_text(f"{text}\n{cards.read_text()}")
    return path


def behind_models(folder: Path, text: str) -> Path:
    path = built_in(folder)
    cards = path.with_suffix(".cards")
    cards.write_text(f"{cards.read_text()}{text}\n")
    return path


def in_an_included_file(folder: Path, text: str) -> Path:
    (folder / "deep.inc").write_text(f"{text}\n")
    return behind_models(folder, '.include "deep.inc"')


def without_shifts(path: Path) -> str:
    """A synthetic corner wants cards in ``models.include``."""
    return re.sub(r"(?m)^(dvt_mv|mobility) = .*\n", "", path.read_text())


def in_a_section(folder: Path, text: str) -> Path:
    path = built_in(folder)
    described = without_shifts(path).replace(
        'include = ["generic45lp.cards"]', 'lib = [{file = "all.lib", section = "{corner}"}]'
    )
    path.write_text(described)
    cards = path.with_suffix(".cards").read_text()
    sections = (f".lib {name}\n{cards}{text}\n.endl {name}\n" for name in ("tt", "ff", "ss", "fs", "sf"))
    (folder / "all.lib").write_text("".join(sections))
    return path


def in_a_bin(folder: Path, text: str) -> Path:
    path = built_in(folder)
    described = without_shifts(path).replace('include = ["generic45lp.cards"]', 'binned = ["bins"]')
    for polarity in "np":
        described = described.replace(
            f'model = "{polarity}mos45lp"', f'element = "X"\ndvt = "gate_source"\nmodel = "my_{polarity}"'
        )
    path.write_text(described)
    cards = path.with_suffix(".cards").read_text()
    limits = "lmin=1e-9 lmax=1 wmin=1e-9 wmax=1"
    bodies = []
    for polarity, card in zip("np", re.findall(r"(?ms)^\.model.*?(?=^\.model|\Z)", cards), strict=True):
        binned = re.sub(r"(?m)^\.model (\S+) (\S+)", rf".model \1.1 \2 {limits}", card)
        bodies.append(
            f".subckt my_{polarity} d g s b w=1e-6 l=45e-9 ad=0 as=0 pd=0 ps=0\n{text}\n"
            f"M1 d g s b {polarity}mos45lp w={{w}} l={{l}}\n{binned}.ends\n"
        )
    (folder / "bins").write_text("".join(bodies))
    return path


def in_a_cell(folder: Path, text: str, *, inside: bool = True) -> Path:
    path = built_in(folder)
    described = path.read_text().replace(
        "[models]\n",
        '[cell_6t.netlist]\nfile = "cell.sp"\nsubckt = "my6t"\n'
        'ports = {bl = "BL", blb = "BLB", wl = "WL", vdd = "VDD", gnd = "VSS", q = "Q", qb = "QN"}\n\n[models]\n',
    )
    path.write_text(described)
    sizes = "l=45n w=100n"
    cell = (
        f".subckt my6t BL BLB WL VDD VSS\nM1 Q QN VSS VSS nmos45lp l=45n w=200n\nM2 QN Q VSS VSS nmos45lp l=45n w=200n\n"
        f"M3 Q QN VDD VDD pmos45lp l=45n w=65n\nM4 QN Q VDD VDD pmos45lp l=45n w=65n\n"
        f"M5 BL WL Q VSS nmos45lp {sizes}\nM6 BLB WL QN VSS nmos45lp {sizes}\n"
    )
    (folder / "cell.sp").write_text(f"{cell}{text}\n.ends\n" if inside else f"{text}\n{cell}.ends\n")
    return path


def beside_a_cell(folder: Path, text: str) -> Path:
    return in_a_cell(folder, text, inside=False)


CHANNELS = (
    before_models,
    behind_models,
    in_an_included_file,
    in_a_section,
    in_a_bin,
    in_a_cell,
    beside_a_cell,
)


def simulated(path: Path) -> list[str]:
    """Why a run failed, for all that the technology at ``path`` may be used for: transistors, and a 6T cell of its own."""
    technology = load_technology(path)
    decks = [transfer_deck(technology, NOMINAL, step=0.2)]
    if technology.cell_6t.netlist is not None:
        cell = sram6t(technology)
        bench = BenchCircuit(technology, NOMINAL, "a cell")
        bench.define(cell)
        bench.supply("vdd")
        instance(bench.circuit, "cell", cell, {"bl": "vdd", "blb": "vdd", "wl": "0", "gnd": "0"})
        decks.append(bench.dc(Op(), ["i(vvdd)"]))
    return [result.reason for result in NgspiceSimulator().run(decks)]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.__name__)
def test_a_plain_line_is_simulated(tmp_path: Path, channel: Callable[[Path, str], Path]) -> None:
    assert not any(simulated(channel(tmp_path, "* a comment ; of a # user")))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.__name__)
def test_no_line_of_a_file_does_anything(
    tmp_path: Path, canary: Canary, channel: Callable[[Path, str], Path], frame: str
) -> None:
    for number, line in enumerate(LINES):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = channel(folder, canary.hostile(line, frame))
        canary.check(lambda path=path: simulated(path))


@pytest.mark.parametrize("kind", CODE)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.__name__)
def test_models_that_read_or_write_files_are_refused(
    tmp_path: Path, canary: Canary, channel: Callable[[Path, str], Path], kind: str
) -> None:
    # That a file is only read leaves no trace: such a line must be refused, not be without effect.
    with pytest.raises(CimError, match=r"line \d+"):
        simulated(channel(tmp_path, canary.hostile(f"model {kind}", "alone")))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "generic45lp"', "name = {}"),
        ('model = "nmos45lp"', "model = {}"),
        ("[corners.tt]", "[corners.{}]"),
        ("[devices.nmos]", "[devices.{}]"),
        ("[models]\n", "[models]\nparams = {{ {} = 1.0 }}\n"),
        ("[models]\n", "[models]\nparams = {{ x = {} }}\n"),
        ("[models]\n", "[models]\nlib = [{{file = {}, section = 'tt'}}]\n"),
        ("[corners.tt]\n", "[corners.tt]\nname = {}\n"),
    ],
)
def test_no_name_of_a_technology_does_anything(tmp_path: Path, canary: Canary, line: str, old: str, new: str) -> None:
    text = canary.hostile(line, "alone")
    quoted = '"' + "".join(f"\\u{ord(letter):04x}" for letter in f"x\n{text}\n") + '"'
    path = built_in(tmp_path)
    described = path.read_text()
    assert old in described
    path.write_text(described.replace(old, new.format(quoted)))
    canary.check(lambda: simulated(path))


@pytest.fixture(scope="module")
def good() -> Deck:
    return transfer_deck(load_technology("generic45lp"), NOMINAL, step=0.2)


def forged(deck: Deck, text: str) -> Simulation:
    """A simulation as it comes from another process, which may be anybody's: its deck was never looked at."""
    simulation = Simulation(deck=deck, reducer="collections:OrderedDict")
    spoilt = deck.text.replace(".end\n", f"{text}\n.end\n")
    return pickle.loads(pickle.dumps(simulation).replace(*(_pickled(each) for each in (deck.text, spoilt))))


def _pickled(text: str) -> bytes:
    data = text.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("frame", FRAMES)
def test_no_line_of_a_deck_that_a_worker_gets_does_anything(good: Deck, canary: Canary, frame: str) -> None:
    for line in LINES:
        simulation = forged(good, canary.hostile(line, frame))
        assert simulation.deck.text != good.text
        canary.check(lambda simulation=simulation: execute(simulation, NgspiceSimulator()))


def test_no_line_of_a_deck_does_anything_on_a_cluster(good: Deck, canary: Canary) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        for line in ("mark 'r'", "mark '*'", "card 0", "model numd"):
            simulation = forged(good, canary.hostile(line, "in an unused subcircuit"))
            future = client.submit(execute, simulation, NgspiceSimulator())
            canary.check(future.result)


def test_the_engine_says_which_deck_it_refuses(good: Deck, canary: Canary) -> None:
    def bench():
        yield [forged(good, canary.hostile("mark 'r'", "alone"))]
        return []

    with pytest.raises(NetlistError, match="the deck is refused: its line 'r#shell"):
        Engine(cache=None, workers=1).run([bench()])
    canary.check(lambda: None)


def test_the_canary_sings(canary: Canary) -> None:
    """The lines are what they are said to be: ngspice, started by hand on such a deck, runs the command."""
    hostile = canary.hostile("mark 'r'", "in an unused subcircuit")
    text = f"* title\nv1 a 0 1\nr1 a 0 1k\n{hostile}\n.op\n.end\n"
    deck = canary.folder / "deck.cir"
    deck.write_text(text)
    subprocess.run([find_ngspice(), "-b", deck], capture_output=True, check=False)
    assert canary.file.exists()
