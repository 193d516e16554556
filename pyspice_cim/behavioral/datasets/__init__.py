"""Data sets: values in 0..1 that encoders turn into spikes, and recordings of event cameras and cochleas.

A function that reads files takes their folder as an argument; without one it looks below the folder that the environment
variable PYSPICE_CIM_DATA names. Nothing is downloaded: where a file is missing, the error says where to get it.
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
