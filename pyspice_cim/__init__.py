"""Circuit-level SPICE co-simulation of SRAM compute-in-memory macros that run LD-LIF spiking networks."""

__version__ = "0.1.0"
