"""Columns, arrays and datapaths, made of cells."""
