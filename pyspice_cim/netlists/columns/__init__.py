"""Columns, arrays and datapaths that are made of cells."""
