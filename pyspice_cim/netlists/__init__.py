"""Netlists as PySpice subcircuits, and the decks that ngspice reads."""
