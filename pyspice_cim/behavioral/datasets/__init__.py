"""Data sets: values in 0..1 that encoders turn into spikes, and recordings of event cameras and cochleas.

A function that reads files takes the folder of the files as an argument. By default the folder lies below the folder in
the environment variable PYSPICE_CIM_DATA. Nothing is downloaded. The error for a missing file says where to get the
file.
"""

from pyspice_cim.behavioral.datasets.events import Events, bin_events, read_nmnist, read_shd
from pyspice_cim.behavioral.datasets.handwritten import digits
from pyspice_cim.behavioral.datasets.idx import mnist, read_idx
from pyspice_cim.behavioral.datasets.recordings import nmnist, shd
from pyspice_cim.behavioral.datasets.spoken import spoken_digits

__all__ = [
    "Events",
    "bin_events",
    "digits",
    "mnist",
    "nmnist",
    "read_idx",
    "read_nmnist",
    "read_shd",
    "shd",
    "spoken_digits",
]
