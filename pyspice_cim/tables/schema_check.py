"""Whether a file has the layout of a table, so that what reads tables need not ask: see ``table.py``."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from pyspice_cim.tables.contract import CONTRACT
from pyspice_cim.tables.lookup import SCALES
from pyspice_cim.tables.quantity import stored_name
from pyspice_cim.tables.table import ATTRIBUTES, CORNER_AXES, SCHEMA_VERSION, short_name

_POINT = ("bench", "status", "reason", "rung", "decks")
_STATUS = ("ok", "failed", "missing")
_NUMBERS = "if"
# What a technology may be called.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def layout_problem(dataset: xr.Dataset, *, version: int = SCHEMA_VERSION) -> str:
    """What is wrong with the layout of ``dataset``, in words that follow the name of a table; ``""`` if nothing is.

    Args:
        dataset: variables of text have numpy's type, not objects.
        version: schema of ``dataset``.
    """
    missing = [name for name in ATTRIBUTES if name not in dataset.attrs]
    missing += [name for name in (*CORNER_AXES, *(f"point_{what}" for what in _POINT)) if name not in dataset.variables]
    if missing:
        return f"lacks {', '.join(missing)}"
    problems = (*_attributes(dataset), *_axes(dataset)) or (*_points(dataset), *_quantities(dataset), *_checks(dataset))
    if not problems and version >= 2:
        problems = (*_contract(dataset),)
    return next(iter(problems), "")


def _attributes(dataset: xr.Dataset) -> Iterator[str]:
    for name in ATTRIBUTES:
        if not isinstance(dataset.attrs[name], str):
            yield f"has an attribute {name} that is no text ({_short(dataset.attrs[name])})"
            return
    if not _NAME.fullmatch(dataset.attrs["technology"]):
        # A path would have whoever wrote the file choose what is read.
        yield (
            f"has an attribute technology that is no plain name ({_short(dataset.attrs['technology'])}), of letters, "
            "digits and underscores"
        )


def _axes(dataset: xr.Dataset) -> Iterator[str]:
    for name, axis in dataset.coords.items():
        corner = name in CORNER_AXES
        if axis.dims != (name,):
            if corner:
                yield f"has {name} along {', '.join(map(str, axis.dims)) or 'nothing'}, not as an axis of its own"
            continue
        if not isinstance(axis.attrs.get("short_name", ""), str):
            yield f"has an axis {name} with a short_name that is no text ({_short(axis.attrs['short_name'])})"
        numbers = axis.dtype.kind in _NUMBERS
        if (corner and numbers == (name == "process")) or not (numbers or axis.dtype.kind == "U"):
            yield f"has nodes of the type {axis.dtype} along the axis {name}"
            continue
        nodes = axis.values.tolist()
        if not nodes:
            yield f"has no node along the axis {name}"
        elif numbers and not np.isfinite(axis.values).all():
            yield f"has a node along the axis {name} that is no finite number ({_short(nodes)})"
        elif len(set(nodes)) < len(nodes):
            yield f"has a node of the axis {name} twice ({_short(nodes)})"
        elif numbers and nodes != sorted(nodes):
            yield f"has nodes along the axis {name} that do not rise ({_short(nodes)})"


def _points(dataset: xr.Dataset) -> Iterator[str]:
    """Problems of the points, and of the benches' indices along them."""
    for what in _POINT:
        found = dataset.variables[f"point_{what}"]
        if found.dims != ("point",) or found.dtype.kind != "U":
            yield f"has a point_{what} that is no text along point"
            return
    for status in np.unique(dataset.variables["point_status"].values).tolist():
        if status not in _STATUS:
            yield f"has a point_status {status!r}; there are {', '.join(_STATUS)}"
    for bench in np.unique(dataset.variables["point_bench"].values).tolist():
        yield from _index(dataset, bench, f"point_bench names {bench!r}")


def _index(dataset: xr.Dataset, bench: str, named: str) -> Iterator[str]:
    name, count = f"{bench}_point", dataset.sizes["point"]
    if name not in dataset.data_vars:
        yield f"lacks {name}, although {named}"
        return
    index = dataset.variables[name]
    if index.dtype.kind != "i" or not {*CORNER_AXES} <= set(index.dims):
        yield f"has a {name} that is no index of points along {', '.join(CORNER_AXES)}"
    elif lacking := [str(dim) for dim in index.dims if dim not in dataset.coords]:
        yield f"lacks the nodes of {', '.join(lacking)}, an axis of {name}"
    elif index.size and not -1 <= index.values.min() <= index.values.max() < count:
        yield f"has indices in {name} from {index.values.min()} to {index.values.max()}, but {count} points"


def _quantities(dataset: xr.Dataset) -> Iterator[str]:
    for name in dataset.data_vars:
        array = dataset.variables[name]
        if "units" not in array.attrs:
            continue
        for attribute in ("units", "bench"):
            if not isinstance(array.attrs.get(attribute), str):
                yield f"has a quantity {name} without the attribute {attribute}, a text"
                return
        for attribute in ("interpolation_error", "numerical_error"):
            if not isinstance(array.attrs.get(attribute, 0.0), int | float | np.number):
                yield f"has a quantity {name} with an attribute {attribute} that is no number"
        if (scale := array.attrs.get("interpolation", "linear")) not in list(SCALES):
            yield f"has a quantity {name} with an attribute interpolation of {_short(scale)}; there are {', '.join(SCALES)}"
        if array.dtype.kind not in _NUMBERS:
            yield f"has a quantity {name} that is no numbers but of the type {array.dtype}"
        bench = array.attrs["bench"]
        yield from _index(dataset, bench, f"it is the bench of {name}")
        if f"{bench}_point" in dataset.data_vars and not set(dataset.variables[f"{bench}_point"].dims) <= set(
            array.dims
        ):
            yield f"has a quantity {name} without all axes of {bench}_point"
        if lacking := [str(dim) for dim in array.dims if dim not in dataset.coords]:
            yield f"lacks the nodes of {', '.join(lacking)}, an axis of {name}"
        shown = {str(dim): short_name(dataset, str(dim)) for dim in array.dims}
        foreign = [dim for dim, short in shown.items() if short != dim and stored_name(bench, short) != dim]
        if foreign or len(set(shown.values())) < len(shown):
            yield f"has a quantity {name} with axes {', '.join(shown)} that users see as {', '.join(shown.values())}"


def _contract(dataset: xr.Dataset) -> Iterator[str]:
    """Where a quantity that the contract declares differs from its declaration, so that a reader would not find an axis."""
    for name in map(str, dataset.data_vars):
        array, declared = dataset[name], CONTRACT.find(name)
        if "units" not in array.attrs or declared is None or declared[0].name != array.attrs["bench"]:
            continue
        quantity = declared[1]
        shown = {short_name(array, str(dim)) for dim in array.dims}
        if lacking := [axis.name for axis in quantity.own if axis.name not in shown]:
            yield f"has a quantity {name} without its axis {', '.join(lacking)}"


def _checks(dataset: xr.Dataset) -> Iterator[str]:
    for kind in ("held_out", "audit"):
        if f"{kind}_quantity" not in dataset.variables:
            continue
        for what, types in {"quantity": "U", "coordinates": "U", "error": _NUMBERS}.items():
            found = dataset.variables.get(f"{kind}_{what}")
            if found is None or found.dims != (kind,) or found.dtype.kind not in types:
                yield f"has no {kind}_{what} along {kind}, as {kind}_quantity needs it"
                return
        reason = dataset.variables.get(f"{kind}_reason")
        if reason is not None and (reason.dims != (kind,) or reason.dtype.kind != "U"):
            yield f"has a {kind}_reason that is no text along {kind}"
        for text in dataset.variables[f"{kind}_coordinates"].values.tolist():
            if not _is_place(text):
                yield f"has {kind}_coordinates that are no place ({_short(text)})"


def _is_place(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
