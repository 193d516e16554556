"""LD-LIF networks on macros that a table calibrates. Nothing here needs PySpice or ngspice."""
