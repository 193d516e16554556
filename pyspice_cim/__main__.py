"""``python -m pyspice_cim`` runs the command ``pyspice-cim``."""

from pyspice_cim.cli import main

if __name__ == "__main__":
    main()
