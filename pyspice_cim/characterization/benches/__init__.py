"""Testbenches of cells, columns, drivers and datapaths."""
