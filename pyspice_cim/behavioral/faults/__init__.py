"""Macros with faults: failure rates, runs with failed accesses and stuck cells, accuracy against voltage and cycle."""
