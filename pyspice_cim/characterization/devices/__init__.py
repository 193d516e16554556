"""Figures of transistors and gates: curves, FO4 delay, noise margins, fitted cards."""
