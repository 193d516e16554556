"""Compiled kernels: fast, exact inference of networks and macros."""
