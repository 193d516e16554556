"""What became of the neurons of a NIR graph, and what of it calls for a second look.

Rounding that takes away what a network is made of is refused or stands in ``ImportedLayer.warnings``:

    weights   refused if more than ``REFUSED`` of their RMS is lost (all of it, if every integer is 0); a warning above
              ``WARNED``
    lambda    a warning if a leak rounds to 0: with few bits that is common in networks that work (2-bit weights, long tau)
"""

from dataclasses import asdict, dataclass
from typing import Any

from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.behavioral.nir.biases import Wired
from pyspice_cim.behavioral.nir.neurons import StepNeurons
from pyspice_cim.behavioral.nir.observe import Observed
from pyspice_cim.behavioral.nir.scaling import WARNED, Scaled


@dataclass(frozen=True, kw_only=True)
class ImportedLayer:
    """What became of a group of neurons.

    Attributes:
        neurons, weights: names of the nodes.
        scale: least significant bits of the membrane per unit of the (effective) weights; 1 if the file states integers.
        alpha: factor of the real membrane in a step; ``None`` if the file states integers.
        theta, lambda_, decay: of the integer neurons.
        clipped: weights that did not fit in their bits.
        weight_error: RMS error of the weights, over their RMS.
        constant_lines: inputs (of an image: channels) that spike in every step, for biases.
        saturated: share of the updates of a membrane on the calibration data whose total left its bits; ``None`` without.
        warnings: what rounding took away, and what to do; empty if nothing stands out.
    """

    neurons: str
    weights: str
    scale: float
    alpha: float | None
    theta: int
    lambda_: int
    decay: str
    clipped: int
    weight_error: float
    constant_lines: int
    saturated: float | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()} | {"warnings": list(self.warnings)}


def report_of(scaled: Scaled, wires: Wired, params: LDLIFParams, seen: Observed | None) -> ImportedLayer:
    """The report of a layer with its constant lines, its neurons, and what they did on calibration data."""
    neurons = scaled.layer.neurons
    return ImportedLayer(
        neurons=scaled.layer.name,
        weights=scaled.layer.source,
        scale=scaled.scale.scale,
        alpha=neurons.alpha if isinstance(neurons, StepNeurons) else None,
        theta=params.theta,
        lambda_=params.lambda_,
        decay=params.decay,
        clipped=scaled.scale.clipped,
        weight_error=scaled.scale.rms_error,
        constant_lines=len(wires.lines),
        saturated=None if seen is None else seen.saturated / seen.updates,
        warnings=_warnings(scaled, params),
    )


def _warnings(scaled: Scaled, params: LDLIFParams) -> tuple[str, ...]:
    found, neurons = [], scaled.layer.neurons
    if scaled.scale.rms_error > WARNED:
        found.append(
            f"node {scaled.layer.source}: rounding to weight_bits = {scaled.weight_bits} and membrane_bits = "
            f"{params.membrane_bits} loses {100 * scaled.scale.rms_error:.0f} % of the weights (RMS); raise them, or check "
            f"dt and integration"
        )
    linear = params.decay in ("clamp", "toward_zero")
    if isinstance(neurons, StepNeurons) and neurons.alpha < 1 and linear and not params.lambda_:
        # (1 - alpha) theta / 2 is above one half from there on.
        theta = int(1 / (1 - neurons.alpha)) + 1
        found.append(
            f"node {scaled.layer.name}: lambda is 0, so its leak (alpha = {neurons.alpha:.6g} a step) is lost: it is about "
            f"(1 - alpha) theta / 2 with theta = {params.theta}, and 1 from theta = {theta} on, for which membrane_bits "
            f"must be {theta.bit_length() + 1} or more and weight_bits larger, too; raise them, or check dt"
        )
    return tuple(found)
