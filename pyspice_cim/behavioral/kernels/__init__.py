"""Compiled kernels: fast and exact inference of networks and macros."""
