"""The parts of a technology file as validated data. Each class is a table of the TOML, and each field an entry."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.functional_validators import AfterValidator

from pyspice_cim.technology.bitcells import BITCELLS, BitCell

# Text of a technology file that becomes a word of a deck. A deck can run programs, so no other text reaches a deck.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

# Limits beyond any process. Within them a sweep in steps of 10 mV ends, and the square of a size is above zero.
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
    """Base of all parts. A part is frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Fields that the written form leaves out while they have their default. The hash of a technology is of the written
    # form, so a new field does not change the hash of a technology that does not use the field.
    silent_defaults: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_silent_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = write(self)
        for name in self.silent_defaults:
            if getattr(self, name) == type(self).model_fields[name].default:
                data.pop(name, None)
        return data


class Supply(Data):
    """Supply voltages.

    Attributes:
        nominal_v: nominal supply in V.
        range_v: lowest and highest supply in V at which the cards were checked.
    """

    nominal_v: Volts
    range_v: VoltsRange

    @model_validator(mode="after")
    def _nominal_inside(self) -> Self:
        if not self.range_v[0] <= self.nominal_v <= self.range_v[1]:
            raise ValueError("nominal_v must lie within range_v")
        return self


class Temperature(Data):
    """Temperatures.

    Attributes:
        nominal_c: nominal temperature in degrees Celsius.
        range_c: lowest and highest temperature in degrees Celsius at which the cards were checked.
    """

    nominal_c: Celsius
    range_c: CelsiusRange

    @model_validator(mode="after")
    def _nominal_inside(self) -> Self:
        if not self.range_c[0] <= self.nominal_c <= self.range_c[1]:
            raise ValueError("nominal_c must lie within range_c")
        return self


class Units(Data):
    """Unit of width and length on an instance.

    Attributes:
        geometry: unit of ``w`` and ``l``.
        scale_option: where ``.option scale`` stands, which makes bare numbers micrometres. ``in_model``: in the model
            files. ``deck``: in the deck. ``none``: nowhere, because the subcircuit of the device multiplies.
    """

    geometry: Literal["m", "um"] = "m"
    scale_option: Literal["none", "in_model", "deck"] = "none"

    @model_validator(mode="after")
    def _scale_of_micrometres(self) -> Self:
        if self.geometry == "m" and self.scale_option == "deck":
            raise ValueError('scale_option = "deck" would scale metres by 1e-6; set geometry = "um"')
        return self


class Shift(Data):
    """A number for each polarity: ``n`` for n devices, ``p`` for p devices."""

    n: float
    p: float


class CornerModels(Data):
    """One process corner. A synthetic corner shifts the nominal BSIM4 cards (``models.shifted``).

    Attributes:
        name: name of the corner in the model files, in place of ``{corner}``; by default the key of the corner.
        dvt_mv: synthetic shift of the magnitude of ``vth0`` in mV.
        mobility: synthetic factor on the low-field mobility ``u0``.
        note: reason for the choice of the corner.
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
        """Whether the corner shifts the nominal cards. Every output labels a synthetic corner."""
        return self.dvt_mv != Shift(n=0.0, p=0.0) or self.mobility != Shift(n=1.0, p=1.0)


class LibrarySection(Data):
    """One ``.lib FILE SECTION``. The name of the corner replaces ``{corner}`` in both fields."""

    file: str
    section: str


class Models(Data):
    """Source of the model text.

    Attributes:
        root: folder of the files, relative to the TOML; ``~`` and ``$NAME`` of the environment are replaced.
        package: Python package whose folder holds ``root``. The package is the outermost one and is not imported.
        install: command that installs ``package``, for the message if the package is missing.
        params: ``.param`` values, which come before all other text.
        include: files that are copied into the deck, in order; the name of the corner replaces ``{corner}``.
        lib: sections of library files, which are copied in after the includes.
        binned: files with binned models; a deck takes one subcircuit for each bin of ``devices`` (``binning.py``).
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
        polarity: ``n`` or ``p``.
        w_um, l_um: smallest and largest width, and smallest and largest length, in micrometres.
        diffusion_um: length of a source or drain region in micrometres, for its area and perimeter.
        dvt: how a threshold shift is drawn: ``delvto`` on the instance, or a source in series with the gate. A
            subcircuit ignores ``delvto`` without a message.
        narrow: what a transistor below the smallest width becomes: an error, or a transistor of the smallest width.
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
    """Mismatch of thresholds between equal devices, by Pelgrom's law.

    Pelgrom, Duinmaijer and Welbers, "Matching properties of MOS transistors", IEEE J. Solid-State Circuits 24 (1989).

    Attributes:
        convention: whether a coefficient is of a single device, or of the difference of a pair.
        a_vt_mv_um: device to its coefficient ``A_VT`` in mV um.
        source: where the coefficients are from.
    """

    convention: Literal["single", "pair"]
    a_vt_mv_um: dict[Identifier, Annotated[float, Field(gt=0)]]
    source: str

    def sigma(self, device: str, width: float, length: float) -> float:
        """Standard deviation of the threshold of one device in V.

            sigma = A_VT / sqrt(W L)              for a coefficient of a single device
            sigma = A_VT / sqrt(W L) / sqrt(2)    for a coefficient of a pair

        Args:
            device: key of ``a_vt_mv_um``.
            width, length: gate in m.
        """
        coefficient = self.a_vt_mv_um[device] * 1e-9
        if self.convention == "pair":
            coefficient /= math.sqrt(2.0)
        return coefficient / math.sqrt(width * length)


class GlobalVariation(Data):
    """Global variation: the shift of the thresholds of all devices of one die.

    Attributes:
        sigma_vt_mv: standard deviation of the shift of all n devices, and of all p devices, in mV.
        source: where the numbers are from.
    """

    sigma_vt_mv: Shift
    source: str

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        if min(self.sigma_vt_mv.n, self.sigma_vt_mv.p) < 0:
            raise ValueError("sigma_vt_mv must be 0 or more")
        return self


class Wire(Data):
    """Wires.

    Attributes:
        c_ff_per_um: capacitance per length in fF/um.
        source: where the number is from.
    """

    c_ff_per_um: float = Field(gt=0)
    source: str = ""


class CellNetlist(Data):
    """A user cell: a netlist that every circuit draws in place of a built-in bit cell.

    Attributes:
        file: SPICE file, relative to the TOML; ``user_cell/parse.py`` defines its language.
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
        """Role to its nodes, in lower case, because SPICE ignores case."""
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
        netlist: netlist of the user cell; ``None`` for the built-in cell.
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
    """Sizes of a registered bit cell, ``[cells.NAME]`` in a technology's TOML.

    Attributes:
        width_um, height_um: footprint; bitlines run along the height (micrometres).
        widths_um: name of each width of the cell (``BitCell.widths``) to the width (micrometres).
        source: where the sizes are from.
        netlist: netlist of the user cell; ``None`` for the built-in cell.
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
    """A target of a metric, against which a technology is checked.

    Attributes:
        value, unit: number and unit of the source, e.g. ``519`` and ``uA/um``.
        source: where the number is from.
        confidence: ``published``, ``computed`` (from a public model), ``derived`` (from published or computed numbers) or
            ``chosen`` (by this project, consistent with the other targets).
        tolerance: largest relative deviation that counts as met.
    """

    # Deviations are relative to the value.
    value: float = Field(ge=1e-15, le=1e15)
    unit: Literal["uA/um", "nA/um", "V", "mV", "mV/V", "mV/dec", "ps"]
    source: str
    confidence: Literal["published", "computed", "derived", "chosen"]
    tolerance: float = Field(gt=0, lt=1)

    @property
    def si(self) -> float:
        """The value in SI units; a current stays per micrometre (A/um)."""
        return self.value * UNIT_FACTORS[self.unit]


# Unit of a target -> factor to the unit of computations (A/um, V, V/V, V/dec, s).
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
# Metric -> units of its target: metrics of a device, then metrics of a circuit.
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
    # No deck of nominal devices depends on global variation, so the hash of a technology leaves it out.
    global_variation: GlobalVariation | None = None
    wire: Wire
    cell_6t: CellGeometry
    cell_8t: CellGeometry
    # Name of a further bit cell (``technology.bitcells``) -> its sizes.
    cells: dict[Identifier, CellSizes] = {}
    # Device (ion, ioff, ...) or "circuit" (fo4, snm_hold, snm_read) -> metric -> target.
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
        for group, metrics in self.targets.items():
            if group != "circuit" and group not in self.devices:
                raise ValueError(f"targets.{group} is neither a device nor `circuit`")
            known = CIRCUIT_TARGET_UNITS if group == "circuit" else DEVICE_TARGET_UNITS
            for metric, target in metrics.items():
                if metric not in known:
                    raise ValueError(f"targets.{group}.{metric} is not a known metric; known: {', '.join(known)}")
                if target.unit not in known[metric]:
                    wanted = " or ".join(known[metric])
                    raise ValueError(
                        f"targets.{group}.{metric}.unit = {target.unit!r} is not valid; give it in {wanted}"
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
