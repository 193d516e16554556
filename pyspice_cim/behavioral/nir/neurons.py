"""Conversion of NIR's neurons, in continuous time and real numbers, to the factors of one time step.

``IF`` is ``dv/dt = r I``. ``LIF`` is ``tau dv/dt = (v_leak - v) + r I``. Both fire if ``v > v_threshold`` (strictly).
The input I is taken as constant during a step dt. A spike counts as I = 1 during its step. One step is then::

    v <- alpha v + gain I

    exact   alpha = exp(-dt / tau)    gain = r (1 - alpha)      the solution of the equation
    euler   alpha = 1 - dt / tau      gain = r (1 - alpha)      what snnTorch and Norse compute
    IF      alpha = 1                 gain = r                  an input of one is one unit of charge; dt does not enter

A layer of the chip has one decay and one threshold. So all neurons of a layer must have the same ``alpha``. ``r`` and
``v_threshold`` may differ between neurons. A membrane ``v`` with threshold ``t`` behaves as ``v T / t`` with threshold
``T``. The gain of a neuron therefore contains its ratio ``T / t``, and the gain goes into the weights.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError, DataError

Integration = Literal["exact", "euler"]
INTEGRATIONS = ("exact", "euler")
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepNeurons:
    """Neurons of one layer in time steps.

    Attributes:
        alpha: factor of the membrane in a step, 0..1.
        threshold: threshold of all neurons, in units of NIR's membrane.
        gain: factor of the inputs of each neuron, or of each channel of an image, (features,).
    """

    alpha: float
    threshold: float
    gain: Floats


def step_neurons(name: str, node: Any, shape: tuple[int, ...], dt: float | None, method: Integration) -> StepNeurons:
    """Return the factors of one time step of a NIR node of neurons.

    Args:
        name: name of the node, for messages.
        node: an ``IF`` or ``LIF`` of the package ``nir``.
        shape: shape of the neurons: (neurons,) or (channels, height, width).
        dt: time step in the unit of ``tau``; ``None`` is allowed for ``IF`` only.
        method: ``"exact"`` or ``"euler"`` (see the top of this module).

    Raises:
        DataError: if a parameter has another shape, is not finite, or differs where it must be uniform; if ``tau`` or
            ``v_threshold`` is not positive; if the neurons rest or reset elsewhere than at 0. The message names the
            node.
        ConfigError: if a ``LIF`` has no ``dt``, or ``dt`` is above ``tau`` with ``"euler"``.
    """
    values = {
        field: _per_feature(name, field, getattr(node, field), shape)
        for field in ("r", "v_threshold", "v_reset", "v_leak", "tau")
        if getattr(node, field, None) is not None
    }
    for field in ("v_leak", "v_reset"):
        if np.any(values.get(field, 0)):
            raise DataError(
                f"node {name}: {field} is {_some(values[field])}, but membranes rest and reset at 0; shift v_threshold, "
                f"v_leak and v_reset so that both are 0"
            )
    for field in ("v_threshold", "tau"):
        if field in values and values[field].min() <= 0:
            raise DataError(f"node {name}: {field} is {_some(values[field])}; it must be above 0")
    alpha = _alpha(name, values["tau"], dt, method) if "tau" in values else 1.0
    threshold = float(values["v_threshold"].max())
    gain = values["r"] * (threshold / values["v_threshold"])
    return StepNeurons(alpha=alpha, threshold=threshold, gain=gain * (1 - alpha) if "tau" in values else gain)


def _alpha(name: str, tau: Floats, dt: float | None, method: Integration) -> float:
    if tau.min() != tau.max():
        raise DataError(
            f"node {name}: tau is {_some(tau)}, but a layer has one decay; give all its neurons one tau, or split it"
        )
    if dt is None:
        raise ConfigError(f"node {name} is a LIF and needs dt, the time step in the unit of tau; NIR files hold none")
    if not (np.isfinite(dt) and dt > 0):
        raise ConfigError(f"dt is {dt}; it must be above 0, in the unit of tau (s)")
    ratio = dt / float(tau[0])
    if method == "exact":
        return float(np.exp(-ratio))
    if ratio > 1:
        raise ConfigError(
            f"node {name}: dt = {dt} is above tau = {tau[0]:g}; choose a smaller dt for integration 'euler'"
        )
    return 1 - ratio


def _per_feature(name: str, field: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """``value`` as (features,): of each neuron, or of each channel, within which it must be uniform."""
    array = finite(name, field, value)
    if array.size == 1:
        return np.full(shape[0], array.item())
    try:
        full = np.broadcast_to(array.reshape(shape) if array.size == np.prod(shape) else array, shape)
    except ValueError as error:
        raise DataError(
            f"node {name}: {field} has shape {array.shape}, its neurons {shape}; they must agree"
        ) from error
    features = full.reshape(shape[0], -1)
    if np.any(features != features[:, :1]):
        raise DataError(
            f"node {name}: {field} differs within a channel, whose neurons share their weights; make it uniform there"
        )
    return np.array(features[:, 0])


def finite(name: str, field: str, value: Any) -> Floats:
    """Return ``value`` as an array of floats; ``name`` of the node and ``field`` are for messages.

    Raises:
        DataError: if the value holds anything but finite real numbers.
    """
    found = np.asarray(value)
    if found.dtype.kind not in "biuf":
        raise DataError(f"node {name}: {field} has type {found.dtype}; it must hold real numbers")
    array = found.astype(np.float64)
    if not np.isfinite(array).all():
        raise DataError(f"node {name}: {field} holds values that are not finite")
    return array


def _some(values: Floats) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
