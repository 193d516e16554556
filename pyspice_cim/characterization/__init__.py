"""Circuits in ngspice: benches measure them, plans say where, tables hold the results."""
