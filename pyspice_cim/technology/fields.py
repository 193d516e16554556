"""The parts of a technology file: plain validated data. Every field is what its TOML table holds."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.functional_validators import AfterValidator

from pyspice_cim.technology.bitcells import BITCELLS, BitCell

# What of a technology file becomes a word of a deck. A deck can run programs of the machine: no other text reaches one.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

# Wider than any process, and narrow enough that a sweep in steps of 10 mV ends and no size vanishes in a square.
LIMITS_V = (1e-3, 100.0)
LIMITS_C = (-270.0, 500.0)
Volts = Annotated[float, Field(ge=LIMITS_V[0], le=LIMITS_V[1])]
Celsius = Annotated[float, Field(ge=LIMITS_C[0], le=LIMITS_C[1])]
Micrometres = Annotated[float, Field(ge=1e-4, le=1e5)]


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] < limits[1]:
        raise ValueError("give the lowest value first, then a higher one")
    return limits


_ORDERED = AfterValidator(_ordered)
# Lowest and highest value.
VoltsRange = Annotated[tuple[Volts, Volts], _ORDERED]
CelsiusRange = Annotated[tuple[Celsius, Celsius], _ORDERED]
MicrometresRange = Annotated[tuple[Micrometres, Micrometres], _ORDERED]


class Data(BaseModel):
    """Base of all parts: frozen, and a field that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Fields that are left out of the written form, and so of a technology's hash, while they have their default: a
    # field that is new does not change the hash of a technology that does not use it.
    silent_defaults: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_silent_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = write(self)
        for name in self.silent_defaults:
            if getattr(self, name) == type(self).model_fields[name].default:
                data.pop(name, None)
        return data


class Supply(Data):
    """``nominal_v`` and the range of supply voltages in which the cards were checked, V."""

    nominal_v: Volts
    range_v: VoltsRange

    @model_validator(mode="after")
    def _nominal_inside(self) -> Self:
        if not self.range_v[0] <= self.nominal_v <= self.range_v[1]:
            raise ValueError("nominal_v must lie within range_v")
        return self


class Temperature(Data):
    """Nominal temperature and the range in which the cards were checked, degrees Celsius."""

    nominal_c: Celsius
    range_c: CelsiusRange

    @model_validator(mode="after")
    def _nominal_inside(self) -> Self:
        if not self.range_c[0] <= self.nominal_c <= self.range_c[1]:
            raise ValueError("nominal_c must lie within range_c")
        return self


class Units(Data):
    """How the models want width and length: in metres or in bare micrometres, and who scales.

    Attributes:
        geometry: unit of ``w`` and ``l`` on an instance.
        scale_option: who says that bare numbers are micrometres: nobody (the subcircuit multiplies itself), the model
            files by an ``.option scale`` of their own, or the deck.
    """

    geometry: Literal["m", "um"] = "m"
    scale_option: Literal["none", "in_model", "deck"] = "none"

    @model_validator(mode="after")
    def _scale_of_micrometres(self) -> Self:
        if self.geometry == "m" and self.scale_option == "deck":
            raise ValueError('scale_option = "deck" would scale metres by 1e-6; set geometry = "um"')
        return self


class Shift(Data):
    """A number for each polarity."""

    n: float
    p: float


class CornerModels(Data):
    """How one process corner is made.

    Attributes:
        name: what the files call this corner, put in place of ``{corner}``; the corner's own key if not given.
        dvt_mv: synthetic shift, mV, added to the magnitude of each card's threshold.
        mobility: synthetic factor of each card's low-field mobility.
        note: how the corner was chosen.
    """

    name: str | None = None
    dvt_mv: Shift = Shift(n=0.0, p=0.0)
    mobility: Shift = Shift(n=1.0, p=1.0)
    note: str = ""

    @model_validator(mode="after")
    def _positive_mobility(self) -> Self:
        if min(self.mobility.n, self.mobility.p) <= 0:
            raise ValueError("mobility must be above 0: it is a factor")
        return self

    @property
    def synthetic(self) -> bool:
        """Whether the corner is made by shifting the nominal cards; it is labelled so wherever it shows."""
        return self.dvt_mv != Shift(n=0.0, p=0.0) or self.mobility != Shift(n=1.0, p=1.0)


class LibrarySection(Data):
    """One ``.lib FILE SECTION``; ``{corner}`` in either is replaced."""

    file: str
    section: str


class Models(Data):
    """Where the model text comes from; files lie below ``root``.

    Attributes:
        root: folder, relative to the TOML; ``~`` and ``$NAME`` of the environment are replaced.
        package: Python package in whose folder ``root`` lies instead; it is not imported. The outermost one: to look into a
            package is to import it.
        install: command that installs ``package``, for the message where it is missing.
        params: ``.param`` values, written before everything else.
        include: files that are copied into the deck, in order; ``{corner}`` is replaced.
        lib: sections of library files, copied in after the includes.
        binned: files of which only the subcircuits of ``devices`` are taken, one for each bin (``binning.py``).
    """

    silent_defaults: ClassVar[tuple[str, ...]] = ("install", "binned")

    root: str = "."
    package: Identifier | None = None
    install: str = ""
    params: dict[Identifier, float] = {}
    include: tuple[str, ...] = ()
    lib: tuple[LibrarySection, ...] = ()
    binned: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_text(self) -> Self:
        if not self.include and not self.lib and not self.binned:
            raise ValueError("name at least one model file under include, lib or binned")
        return self


class Device(Data):
    """One transistor type.

    Attributes:
        element: ``M`` for a ``.model`` card, ``X`` for a subcircuit with the ports drain, gate, source, bulk.
        model: name of the card or subcircuit.
        w_um, l_um: smallest and largest width and length.
        diffusion_um: length of a source or drain region, for its area and perimeter.
        dvt: how a drawn threshold shift reaches the device: ``delvto`` on the instance (a subcircuit ignores that
            without a word), or a source in series with the gate.
        narrow: what becomes of a transistor narrower than the smallest width: an error, or the smallest width.
    """

    silent_defaults: ClassVar[tuple[str, ...]] = ("narrow",)

    element: Literal["M", "X"] = "M"
    model: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    polarity: Literal["n", "p"]
    w_um: MicrometresRange
    l_um: MicrometresRange
    diffusion_um: Micrometres
    dvt: Literal["instance_delvto", "gate_source"] = "instance_delvto"
    narrow: Literal["refuse", "widen"] = "refuse"

    @model_validator(mode="after")
    def _shift_arrives(self) -> Self:
        if self.element == "X" and self.dvt == "instance_delvto":
            raise ValueError('dvt must be "gate_source" for element = "X": delvto on a subcircuit is ignored')
        return self


class Mismatch(Data):
    """Pelgrom coefficients, mV um; ``pair`` coefficients are of the difference of two devices."""

    convention: Literal["single", "pair"]
    a_vt_mv_um: dict[Identifier, Annotated[float, Field(gt=0)]]
    source: str

    def sigma(self, device: str, width: float, length: float) -> float:
        """Standard deviation of one device's threshold, V: sigma = A_VT / sqrt(W L), over sqrt(2) if A_VT is of a pair.

        Args:
            device: name, a key of ``a_vt_mv_um``.
            width, length: m.
        """
        coefficient = self.a_vt_mv_um[device] * 1e-9
        if self.convention == "pair":
            coefficient /= math.sqrt(2.0)
        return coefficient / math.sqrt(width * length)


class GlobalVariation(Data):
    """Standard deviation of the threshold from die to die, mV, of all n and of all p devices together; where it is from."""

    sigma_vt_mv: Shift
    source: str

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if min(self.sigma_vt_mv.n, self.sigma_vt_mv.p) < 0:
            raise ValueError("sigma_vt_mv must be 0 or more")
        return self


class Wire(Data):
    """Wire capacitance per length."""

    c_ff_per_um: float = Field(gt=0)
    source: str = ""


class CellNetlist(Data):
    """A bit cell of the user's own, drawn in place of the built-in one by every circuit that has such a cell.

    Attributes:
        file: SPICE file, relative to the TOML; ``user_cell/parse.py`` says what may stand in it.
        subckt: the subcircuit that is the cell.
        ports: port of the built-in cell (``BitCell.ports``), or ``gnd``, to the user's port in its place. Wells may
            have ports of their own (``gnd = ["VSS", "VNB"]``). Storage nodes may be inner nodes. ``gnd`` may be left
            out if the file uses node 0.
    """

    file: str
    subckt: Identifier
    ports: dict[Identifier, str | tuple[str, ...]]

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Role to its nodes, in lower case: SPICE does not tell the cases apart."""
        given = {role: (nodes,) if isinstance(nodes, str) else nodes for role, nodes in self.ports.items()}
        return {role: tuple(node.lower() for node in nodes) for role, nodes in given.items()}

    def check_roles(self, cell: BitCell) -> None:
        """Check that ``ports`` names every port of ``cell`` and no other.

        Raises:
            ValueError: naming the field and what to do.
        """
        section, supplies = cell.section, (cell.roles.supply, "gnd")
        known = (*cell.ports, "gnd")
        missing = [role for role in cell.ports if not self.roles.get(role)]
        unknown = [role for role in self.ports if role not in known]
        if missing or unknown:
            wrong = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(unknown)}"] * bool(unknown)
            raise ValueError(
                f"{section}.netlist.ports {' and '.join(wrong)}; name the port of each of {', '.join(known)}"
            )
        named = [node for nodes in self.roles.values() for node in nodes]
        if repeated := sorted({node for node in named if named.count(node) > 1}):
            raise ValueError(f"{section}.netlist.ports names {', '.join(repeated)} twice; a node has one role")
        for role, nodes in self.roles.items():
            if len(nodes) > 1 and role not in supplies:
                raise ValueError(
                    f"{section}.netlist.ports.{role} names {len(nodes)} ports; only {' and '.join(supplies)} may be several"
                )


class CellGeometry(Data):
    """Sizes of the 6T or the 8T cell.

    With a ``netlist``, the cell is drawn from the user's file. ``access_um`` and ``read_um`` must then be the widths in
    that file: rows that are not selected are drawn by these widths.

    Attributes:
        width_um, height_um: footprint; bitlines run along the height (micrometres).
        pull_down_um, pull_up_um, access_um, read_um: widths of the transistors (micrometres); ``read_um``: 8T stack.
        source: where the sizes are from.
        netlist: the user's own netlist of the cell.
    """

    silent_defaults: ClassVar[tuple[str, ...]] = ("netlist",)

    width_um: Micrometres
    height_um: Micrometres
    pull_down_um: Micrometres
    pull_up_um: Micrometres
    access_um: Micrometres
    read_um: Micrometres | None = None
    source: str = ""
    netlist: CellNetlist | None = None

    @property
    def widths_um(self) -> Mapping[str, float]:
        """Name of each width that is given, e.g. ``pull_down``, to the width in micrometres."""
        names = ("pull_down", "pull_up", "access", "read")
        given = {name: getattr(self, f"{name}_um") for name in names}
        return {name: width for name, width in given.items() if width is not None}

    @staticmethod
    def width_field(width: str) -> str:
        """Field that holds ``width``, for messages."""
        return f"{width}_um"


class CellSizes(Data):
    """Sizes of a further bit cell, ``[cells.NAME]`` in a technology's TOML.

    Attributes:
        width_um, height_um: footprint; bitlines run along the height (micrometres).
        widths_um: name of each width of the cell (``BitCell.widths``) to the width (micrometres).
        source: where the sizes are from.
        netlist: the user's own netlist of the cell.
    """

    width_um: Micrometres
    height_um: Micrometres
    widths_um: dict[Identifier, Micrometres]
    source: str = ""
    netlist: CellNetlist | None = None

    @staticmethod
    def width_field(width: str) -> str:
        """Field that holds ``width``, for messages."""
        return f"widths_um.{width}"


class Target(Data):
    """A figure that a technology is held against.

    Attributes:
        value, unit: as in the source, e.g. ``519`` and ``uA/um``.
        source: where the figure is from.
        confidence: ``published``, ``computed`` (from a public model), ``derived`` (from such figures, as stated) or
            ``chosen`` (by this project, consistent with the others).
        tolerance: largest relative deviation that counts as met.
    """

    # Deviations are relative to it.
    value: float = Field(ge=1e-15, le=1e15)
    unit: Literal["uA/um", "nA/um", "V", "mV", "mV/V", "mV/dec", "ps"]
    source: str
    confidence: Literal["published", "computed", "derived", "chosen"]
    tolerance: float = Field(gt=0, lt=1)

    @property
    def si(self) -> float:
        """The value without prefix (currents stay per micrometre)."""
        return self.value * UNIT_FACTORS[self.unit]


# Unit of a target -> factor to what the package computes with (A/um, V, V/V, V/dec, s).
UNIT_FACTORS: dict[str, float] = {
    "uA/um": 1e-6,
    "nA/um": 1e-9,
    "V": 1.0,
    "mV": 1e-3,
    "mV/V": 1e-3,
    "mV/dec": 1e-3,
    "ps": 1e-12,
}

_CURRENT, _VOLTAGE = ("uA/um", "nA/um"), ("V", "mV")
# Figure -> units that it may be given in: first those of a device, then those of a circuit.
DEVICE_TARGET_UNITS: dict[str, tuple[str, ...]] = {
    "ion": _CURRENT,
    "ieff": _CURRENT,
    "idlin": _CURRENT,
    "ioff": _CURRENT,
    "vt_lin": _VOLTAGE,
    "vt_sat": _VOLTAGE,
    "dibl": ("mV/V",),
    "ss": ("mV/dec",),
}
CIRCUIT_TARGET_UNITS: dict[str, tuple[str, ...]] = {"fo4": ("ps",), "snm_hold": _VOLTAGE, "snm_read": _VOLTAGE}


class Description(Data):
    """All of a technology but its model files: what a targets file and a technology file share."""

    silent_defaults: ClassVar[tuple[str, ...]] = ("cells",)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    source: str
    supply: Supply
    temperature: Temperature
    corners: dict[Identifier, CornerModels] = Field(min_length=1)
    devices: dict[Identifier, Device]
    mismatch: Mismatch
    # No deck of nominal devices depends on it: it is not part of a technology's hash.
    global_variation: GlobalVariation | None = None
    wire: Wire
    cell_6t: CellGeometry
    cell_8t: CellGeometry
    # Name of a further bit cell (``technology.bitcells``) -> its sizes.
    cells: dict[Identifier, CellSizes] = {}
    # "nmos", "pmos" (ion, ioff, ...) and "circuit" (fo4, snm_hold, snm_read) -> figure -> target.
    targets: dict[Identifier, dict[Identifier, Target]] = {}

    @model_validator(mode="before")
    @classmethod
    def _needed_devices(cls, data: Any) -> Any:
        devices = data.get("devices") if isinstance(data, dict) else None
        if isinstance(devices, dict) and not {"nmos", "pmos"} <= devices.keys():
            raise ValueError("devices must hold nmos and pmos, which all circuits are drawn with")
        return data

    @model_validator(mode="after")
    def _known_targets(self) -> Self:
        for group, figures in self.targets.items():
            if group != "circuit" and group not in self.devices:
                raise ValueError(f"targets.{group} is neither a device nor `circuit`")
            known = CIRCUIT_TARGET_UNITS if group == "circuit" else DEVICE_TARGET_UNITS
            for figure, target in figures.items():
                if figure not in known:
                    raise ValueError(f"targets.{group}.{figure} is not a known figure; known: {', '.join(known)}")
                if target.unit not in known[figure]:
                    wanted = " or ".join(known[figure])
                    raise ValueError(
                        f"targets.{group}.{figure}.unit = {target.unit!r} is not valid; give it in {wanted}"
                    )
        return self

    @property
    def cell_sections(self) -> dict[str, CellGeometry | CellSizes]:
        """Section of each bit cell, e.g. ``cell_8t`` or ``cells.NAME``, to its sizes."""
        further = {f"cells.{name}": sizes for name, sizes in self.cells.items()}
        return {"cell_6t": self.cell_6t, "cell_8t": self.cell_8t, **further}

    def _known_cells(self) -> list[tuple[BitCell, CellGeometry | CellSizes]]:
        """Registered bit cells that the technology has sizes of. A section of any other cell is left unread."""
        sections = self.cell_sections
        return [(cell, sections[cell.section]) for cell in BITCELLS.values() if cell.section in sections]

    @model_validator(mode="after")
    def _cells_can_be_drawn(self) -> Self:
        for cell, sizes in self._known_cells():
            for name, device in cell.widths.items():
                width = sizes.widths_um.get(name)
                low, high = self.devices[device].w_um
                if width is not None and not low <= width <= high:
                    field = f"{cell.section}.{sizes.width_field(name)}"
                    raise ValueError(f"{field} = {width:g} is outside devices.{device}.w_um, {low:g} to {high:g}")
        return self

    @model_validator(mode="after")
    def _cells_have_their_ports(self) -> Self:
        for cell, sizes in self._known_cells():
            if sizes.netlist is not None:
                sizes.netlist.check_roles(cell)
        return self

    @model_validator(mode="after")
    def _known_devices(self) -> Self:
        unknown = sorted(self.mismatch.a_vt_mv_um.keys() ^ self.devices.keys())
        if unknown:
            raise ValueError(
                f"mismatch.a_vt_mv_um and devices must have the same names; in one only: {', '.join(unknown)}"
            )
        return self
