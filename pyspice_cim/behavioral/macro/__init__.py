"""Networks on macros: mapping, calibration, execution, energy and time."""
