"""Metrics of transistors and gates: drain currents, FO4 delay, noise margins, fitted cards."""
