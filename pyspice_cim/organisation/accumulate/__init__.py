"""Accumulate organisations, one file a variant."""
