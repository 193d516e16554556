"""Bit cells, gates, drivers, the row decoder and the periphery of a 6T column."""
