"""The types of a netlist: a ``Cell`` is a documented, parametrised PySpice subcircuit; ``mosfet`` draws one transistor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PySpice.Spice.Netlist import Netlist, SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.deck import checked_name
from pyspice_cim.technology import Technology


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A subcircuit with documented ports and sizes.

    Attributes:
        name: name of the subcircuit.
        ports: port to its meaning, in the order of the subcircuit.
        sizes: name of each size to its value (widths in m).
        build: function that draws the elements into an empty subcircuit.
        uses: cells that ``build`` instantiates.
    """

    name: str
    ports: Mapping[str, str]
    sizes: Mapping[str, float]
    build: Callable[[SubCircuit], None]
    uses: tuple["Cell", ...] = field(default=())

    def subcircuit(self) -> SubCircuit:
        """The cell as a PySpice subcircuit.

        Raises:
            NetlistError: if the name is no plain identifier.
        """
        circuit = SubCircuit(checked_name(self.name, "cell name"), *self.ports)
        self.build(circuit)
        return circuit


def library(*cells: Cell) -> list[Cell]:
    """``cells`` and all cells that they use, each once; a cell follows the cells that it uses.

    Args:
        cells: cells that a deck instantiates.

    Returns:
        Cells in the order in which a deck defines them.

    Raises:
        NetlistError: if two different cells have one name.
    """
    ordered: dict[str, Cell] = {}

    def visit(cell: Cell) -> None:
        for used in cell.uses:
            visit(used)
        known = ordered.setdefault(cell.name, cell)
        if known is not cell and (known.ports != cell.ports or known.sizes != cell.sizes):
            raise NetlistError(f"two different cells are named {cell.name!r}")

    for cell in cells:
        visit(cell)
    return list(ordered.values())


def mosfet(
    circuit: Netlist,
    name: str,
    terminals: tuple[str, str, str, str],
    *,
    technology: Technology,
    device: str,
    width: float,
    length: float | None = None,
    multiplier: int = 1,
    dvt: float | None = None,
) -> None:
    """Draw one transistor into ``circuit``.

    The area of source and drain is width times ``diffusion_um``. The perimeter is twice the sum of both.

    Args:
        circuit: circuit or subcircuit that is drawn into.
        name: name of the element.
        terminals: nodes of drain, gate, source and bulk.
        technology: technology of the device.
        device: name in ``technology.devices`` (``nmos``, ``pmos``).
        width: gate width in m. The technology says what a width below the smallest becomes: the smallest width
            (``devices.NAME.narrow = "widen"``) or an error.
        length: gate length in m; by default the shortest.
        multiplier: number of devices in parallel.
        dvt: shift added to the threshold voltage (mismatch) in V, with the sign of BSIM4's ``delvto``. A positive shift
            makes an n device slower and a p device faster. ``devices.NAME.dvt`` says how the shift is drawn.

    Raises:
        NetlistError: for a size outside the device's range.
        TechnologyError: if the technology has no such device, or no bin for these sizes.
    """
    kind = technology.device(device)
    length = kind.l_um[0] * 1e-6 if length is None else length
    if kind.narrow == "widen":
        width = max(width, kind.w_um[0] * 1e-6)
    for what, value, (low, high) in (("width", width, kind.w_um), ("length", length, kind.l_um)):
        if not low * (1 - 1e-9) <= value * 1e6 <= high * (1 + 1e-9):
            raise NetlistError(
                f"{name}: {what} {value * 1e6:.4g} um of {device} is outside {technology.name}'s {low:g} to {high:g} um"
            )
    unit = 1.0 if technology.units.geometry == "m" else 1e6
    area = width * kind.diffusion_um * 1e-6 * unit * unit
    perimeter = 2 * (width + kind.diffusion_um * 1e-6) * unit
    instance = {
        "l": f"{length * unit:.6g}",
        "w": f"{width * unit:.6g}",
        "ad": f"{area:.4g}",
        "as": f"{area:.4g}",
        "pd": f"{perimeter:.4g}",
        "ps": f"{perimeter:.4g}",
    }
    if multiplier != 1:
        instance["m"] = str(multiplier)
    drain, gate, source, bulk = terminals
    if dvt is not None and kind.dvt == "gate_source":
        # V_GS of the device is lowered by dvt: the same as a threshold raised by dvt, for both polarities.
        circuit.V(f"{name}_dvt", gate, f"{name}_gate", f"{dvt:.6g}")
        gate = f"{name}_gate"
    elif dvt is not None:
        instance["delvto"] = f"{dvt:.6g}"
    model = technology.model_name(device, width, length)
    if kind.element == "M":
        text = " ".join(f"{key}={value}" for key, value in instance.items())
        circuit.M(name, drain, gate, source, bulk, model=model, raw_spice=text)
    else:
        circuit.X(name, model, drain, gate, source, bulk, **instance)
