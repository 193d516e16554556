"""Networks as plain data: layers, files, encoders, read-out, and the plain run in integers."""
