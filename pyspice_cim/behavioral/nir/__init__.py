"""Networks of other tools: import and export of NIR graphs."""
