"""One simulation: run a deck in ngspice, read its waveforms, measure, retry."""
