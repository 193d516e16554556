"""Validation of the behavioral model against SPICE: bits, energy and time."""

from pyspice_cim.validation.cosim import CosimReport, CosimSpec, Vector, cosimulate, draw_vector, vector_run

__all__ = ["CosimReport", "CosimSpec", "Vector", "cosimulate", "draw_vector", "vector_run"]
