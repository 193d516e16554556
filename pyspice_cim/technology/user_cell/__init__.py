"""User cells: bit cells that a user draws in a SPICE file. ``parse`` reads the file; ``checks`` says what must hold."""
