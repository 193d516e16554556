"""The LD-LIF neuron: linear decay, leaky integrate and fire, in the integers that the SRAM array holds.

One time step of a membrane ``v`` (``B`` bits, two's complement) with the synaptic sum ``I = sum_j w_j s_j``::

    decay       v <- max(v - lambda, 0)
    integrate   v <- clip(v + I, VMIN, VMAX)
    fire        s = 1 if v >= theta else 0
    reset       v <- v - theta  ("subtract")  or  v <- 0  ("zero"),  where s = 1

    B                     width of the membrane, bits
    VMIN = -2^(B-1)       most negative membrane
    VMAX =  2^(B-1) - 1   most positive membrane
    lambda, theta         decay per step (0..VMAX) and threshold (1..VMAX), integers, one pair a layer
    w_j, s_j              weights (integers) and input spikes (0 or 1)

The decay clears a negative membrane too, so inhibition lasts for one step. Saturation acts once, on the total of the
step and before the compare. So the result does not depend on the order of the inputs.

``decay.py`` defines this decay, called ``clamp``, and other rules. The array computes ``clamp`` only, and
``LDLIFParams`` allows no other rule. ``NeuronParams`` allows all rules, for comparisons and for imported networks.
"""

import operator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.neuron.decay import RULES
from pyspice_cim.checks import as_array, check_sequence, check_type
from pyspice_cim.errors import ConfigError, DataError

Reset = Literal["subtract", "zero"]
DECAYS = ("clamp",)
RESETS = ("subtract", "zero")
MAX_MEMBRANE_BITS = 16
MAX_BETA_SHIFT = 15


@dataclass(frozen=True, kw_only=True)
class LDLIFParams:
    """Parameters of one layer of LD-LIF neurons, all integers in units of the membrane's least significant bit.

    Attributes:
        lambda_: decay per step, 0..VMAX.
        theta: threshold, 1..VMAX.
        membrane_bits: B, width of the membrane, 2..16.
        decay: ``"clamp"``, the rule of the array.
        reset: ``"subtract"`` or ``"zero"``.

    Raises:
        ConfigError: if a field is of another type or out of range. A threshold above VMAX never fires.
    """

    decays: ClassVar[tuple[str, ...]] = DECAYS

    lambda_: int
    theta: int
    membrane_bits: int = 8
    decay: str = "clamp"
    reset: Reset = "subtract"

    def __post_init__(self) -> None:
        for field in ("lambda_", "theta", "membrane_bits"):
            object.__setattr__(self, field, _integer(field, getattr(self, field)))
        if not 2 <= self.membrane_bits <= MAX_MEMBRANE_BITS:
            raise ConfigError(f"membrane_bits is {self.membrane_bits}; it must be 2 to {MAX_MEMBRANE_BITS}")
        if self.theta < 1:
            raise ConfigError(f"theta is {self.theta}; it must be 1 or more, or a neuron at rest would fire")
        if self.theta > self.vmax:
            raise ConfigError(
                f"theta is {self.theta}, above {self.vmax}, the largest membrane of {self.membrane_bits} bits: the "
                f"neuron never fires; lower theta (and scale the weights) or raise membrane_bits"
            )
        if not 0 <= self.lambda_ <= self.vmax:
            raise ConfigError(f"lambda_ is {self.lambda_}; it must be 0 to {self.vmax} with {self.membrane_bits} bits")
        if not isinstance(self.decay, str) or self.decay not in self.decays:
            raise ConfigError(f"decay is {self.decay!r}; supported: {', '.join(self.decays)}")
        if not isinstance(self.reset, str) or self.reset not in RESETS:
            raise ConfigError(f"reset is {self.reset!r}; supported: {', '.join(RESETS)}")

    @property
    def vmin(self) -> int:
        """Most negative membrane, -2^(B-1)."""
        return -(1 << (self.membrane_bits - 1))

    @property
    def vmax(self) -> int:
        """Most positive membrane, 2^(B-1) - 1."""
        return (1 << (self.membrane_bits - 1)) - 1

    @property
    def factor(self) -> tuple[int, int]:
        """``(n, k)`` of the factor n / 2^k of an exponential decay; (1, 0) for the other rules."""
        return (1, 0)


@dataclass(frozen=True, kw_only=True)
class NeuronParams(LDLIFParams):
    """Parameters of one layer of neurons with any decay rule of ``decay.py``.

    The other fields are those of ``LDLIFParams``.

    Attributes:
        lambda_: decay per step, 0..VMAX; only ``"clamp"`` and ``"toward_zero"`` use it.
        beta: ``(n, k)`` of the factor n / 2^k, 0 <= n <= 2^k and 0 <= k <= 15; only ``"exponential"`` uses it.

    Raises:
        ConfigError: if a field is out of range, or the rule is ``"exponential"`` without a ``beta``.
    """

    decays: ClassVar[tuple[str, ...]] = tuple(RULES)

    lambda_: int = 0
    beta: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay == "exponential" and self.beta is None:
            raise ConfigError("decay is 'exponential' without beta; give beta=(n, k), the factor n / 2^k")
        if self.beta is not None:
            parts = check_sequence("beta", self.beta)
            if len(parts) != 2:
                raise ConfigError(f"beta is {self.beta!r}; give beta=(n, k), the factor n / 2^k")
            numerator, shift = (_integer("beta", part) for part in parts)
            if not 0 <= shift <= MAX_BETA_SHIFT or not 0 <= numerator <= 1 << shift:
                raise ConfigError(
                    f"beta is {self.beta}; (n, k) is the factor n / 2^k: k must be 0 to {MAX_BETA_SHIFT}, n 0 to 2^k"
                )
            object.__setattr__(self, "beta", (numerator, shift))

    @property
    def factor(self) -> tuple[int, int]:
        """``beta``, or (1, 0) without one."""
        return (1, 0) if self.beta is None else self.beta


@dataclass(frozen=True, kw_only=True, eq=False)
class LDLIFState:
    """Membranes of a layer between two time steps.

    Attributes:
        v: int32, (..., neurons), in units of the least significant bit.
    """

    v: NDArray[np.int32]

    @classmethod
    def zeros(cls, *shape: int) -> "LDLIFState":
        """Return membranes of 0, of the given shape: all neurons at rest."""
        return cls(v=np.zeros(shape, np.int32))


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """What happened to each neuron in a step, as boolean arrays of the membranes' shape.

    Attributes:
        cleared: the decay would have crossed zero, and stopped at 0. With lambda > 0 this includes neurons at rest.
        saturated: the total of the step left VMIN..VMAX and was limited.
        fired: the neuron spiked.
    """

    cleared: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    fired: NDArray[np.bool_]


def ldlif_step(
    inputs: NDArray[np.integer[Any]], state: LDLIFState, params: LDLIFParams
) -> tuple[NDArray[np.uint8], LDLIFState, Events]:
    """One time step of the equations at the top of this module; pure, exact, vectorised.

    Args:
        inputs: synaptic sums I, integers, shape (..., neurons).
        state: membranes before the step, the same shape, within VMIN..VMAX.
        params: the layer's parameters.

    Returns:
        Spikes (uint8, 0 or 1), the membranes after the step, and the events; all of the shape of ``inputs``.

    Raises:
        DataError: if ``inputs`` are not integers, the shapes differ, or a membrane does not fit its bits.
    """
    check_type("params", params, LDLIFParams)
    check_type("state", state, LDLIFState)
    inputs, v = as_array("inputs", inputs), as_array("state.v", state.v)
    for name, array in (("inputs", inputs), ("state.v", v)):
        if array.dtype.kind not in "iu":
            raise DataError(f"{name} has type {array.dtype}; the neuron is integer: round and convert it first")
    if inputs.shape != v.shape:
        raise DataError(f"inputs has shape {inputs.shape} and state.v {v.shape}; they must be the same")
    if v.size and (v.min() < params.vmin or v.max() > params.vmax):
        raise DataError(
            f"state.v holds {v.min()}..{v.max()}; {params.membrane_bits} bits hold {params.vmin}..{params.vmax}"
        )

    decayed, cleared = RULES[params.decay](v.astype(np.int64), params.lambda_, params.factor)
    total = decayed + inputs.astype(np.int64)
    integrated = np.clip(total, params.vmin, params.vmax)
    fired = integrated >= params.theta
    after = integrated - params.theta if params.reset == "subtract" else np.zeros_like(integrated)
    v_next = np.where(fired, after, integrated).astype(np.int32)
    return (
        fired.astype(np.uint8),
        LDLIFState(v=v_next),
        Events(cleared=cleared, saturated=integrated != total, fired=fired),
    )


def _integer(field: str, value: object) -> int:
    if isinstance(value, bool | np.bool_):
        raise ConfigError(f"{field} is {value!r}; it must be an integer")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigError(f"{field} is {value!r}; it must be an integer") from error
