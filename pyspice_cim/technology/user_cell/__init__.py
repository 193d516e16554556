"""The user's own bit cell: reading its SPICE file, and what must hold of it."""
