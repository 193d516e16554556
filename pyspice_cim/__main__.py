"""``python -m pyspice_cim`` is ``pyspice-cim``."""

from pyspice_cim.cli import main

if __name__ == "__main__":
    main()
