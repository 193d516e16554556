"""Figure: transfer curves, output curves and butterfly curves of a technology."""

from typing import TYPE_CHECKING

from pyspice_cim.characterization.devices.figures import DEVICES, TechnologyCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and vermilion: told apart in print and by people who do not see red and green.
_COLOURS = {"nmos": "#0072b2", "pmos": "#d55e00", "hold": "#0072b2", "read": "#d55e00"}
_LABELS = {"nmos": "n", "pmos": "p"}


def technology_figure(curves: TechnologyCurves) -> "Figure":
    """A matplotlib figure of the curves of a technology; ``savefig`` writes it. No window is opened.

    Args:
        curves: measured curves: transistors, and the 6T cell.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 4.3), layout="constrained")
    transfer, output, cell = figure.subplots(1, 3)
    _draw_transfer(transfer, curves)
    _draw_output(output, curves)
    _draw_butterflies(cell, curves)
    corner = curves.corner
    figure.suptitle(
        f"{curves.name}, corner {corner.process}, {corner.vdd:g} V, {corner.temperature_c:g} °C", fontweight="bold"
    )
    return figure


def _draw_transfer(axes: "Axes", curves: TechnologyCurves) -> None:
    for device in DEVICES:
        curve = curves.transfer[device]
        micrometres = curve.width * 1e6
        for current, style, bias in ((curve.full, "-", curve.vdd), (curve.linear, "--", 0.05)):
            label = f"{_LABELS[device]}, $|V_{{DS}}|$ = {bias:g} V"
            axes.semilogy(curve.vgs, current / micrometres, style, color=_COLOURS[device], label=label)
    axes.set(title="Transfer curves", xlabel="$|V_{GS}|$ (V)", ylabel="$|I_D|$ (A/µm)")
    axes.set_xlim(0, curves.corner.vdd)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def _draw_output(axes: "Axes", curves: TechnologyCurves) -> None:
    vdd = curves.corner.vdd
    # As in a textbook: p on the left with negative voltages, n on the right.
    for device, sign in (("nmos", 1.0), ("pmos", -1.0)):
        vds, family = curves.output[device]
        strongest = max(family)
        for vgs, current in family.items():
            axes.plot(sign * vds, current * 1e6, color=_COLOURS[device], alpha=0.25 + 0.75 * vgs / strongest)
            if current[-1] > 0.02 * family[strongest][-1]:
                axes.annotate(
                    f"{sign * vgs:.2f} V",
                    (sign * vds[-1], current[-1] * 1e6),
                    xytext=(3 * sign, 0),
                    textcoords="offset points",
                    ha="left" if sign > 0 else "right",
                    va="center",
                    fontsize=7,
                    color=_COLOURS[device],
                )
    axes.axvline(0, color="0.6", lw=0.8)
    axes.set(
        title="Output curves, labelled with $V_{GS}$", xlabel="$V_{DS}$ (V): p left, n right", ylabel="$|I_D|$ (µA/µm)"
    )
    axes.set_xlim(-1.4 * vdd, 1.4 * vdd)
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)


def _draw_butterflies(axes: "Axes", curves: TechnologyCurves) -> None:
    from matplotlib.patches import Rectangle

    for mode, butterfly in curves.butterflies.items():
        colour = _COLOURS[mode]
        axes.plot(butterfly.x, butterfly.y, color=colour, label=f"{mode}: {butterfly.snm * 1e3:.0f} mV")
        axes.plot(butterfly.y, butterfly.x, color=colour)
        if butterfly.snm > 0:
            side = butterfly.snm
            axes.add_patch(Rectangle(butterfly.corner, side, side, facecolor=colour, edgecolor=colour, alpha=0.2))
    vdd = curves.corner.vdd
    axes.set(title="6T static noise margin", xlabel="$V_Q$ (V)", ylabel="$V_{QB}$ (V)")
    axes.set_xlim(-0.02 * vdd, 1.02 * vdd)
    axes.set_ylim(-0.02 * vdd, 1.02 * vdd)
    axes.set_aspect("equal")
    axes.grid(True, alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
