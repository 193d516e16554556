"""Check of a technology: its devices and bit cells are simulated, and every implausible metric becomes a problem."""
