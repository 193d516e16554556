"""Accesses that fail and cells that are stuck: rates, runs, accuracy."""
