"""Report of an import: what became of each layer, with warnings.

A large loss by rounding is an error, or a warning in ``ImportedLayer.warnings``:

    weights   the RMS error over the RMS of the weights: an error above ``REFUSED``, a warning above ``WARNED``
    lambda    a warning if the leak rounds to 0; networks with few bits (2-bit weights, long tau) may still work
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
    """What became of one layer of neurons.

    Attributes:
        neurons, weights: names of the nodes.
        scale: least significant bits of the membrane for a weight of 1; 1 if the file states integers.
        alpha: factor of the real membrane in a step; ``None`` if the file states integers.
        theta, lambda_, decay: threshold, linear decay and decay rule of the integer neurons.
        clipped: number of weights that did not fit in their bits.
        weight_error: RMS error of the weights, divided by their RMS.
        constant_lines: number of constant inputs (or channels of an image) that carry biases.
        saturated: share of the membrane updates on the calibration data whose total left the membrane's range, 0 to 1;
            ``None`` without calibration data.
        warnings: large losses by rounding, each with a remedy.
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
        """Return the report as plain data."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()} | {"warnings": list(self.warnings)}


def report_of(scaled: Scaled, wires: Wired, params: LDLIFParams, seen: Observed | None) -> ImportedLayer:
    """Return the report of one layer.

    Args:
        scaled: the quantized layer.
        wires: weights with the constant inputs.
        params: integer parameters of the neurons.
        seen: what the neurons did on calibration data; ``None`` without data.
    """
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
