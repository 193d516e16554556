"""PyTorch, or an error that says how to get it."""

from pyspice_cim.errors import MissingDependencyError

try:
    import torch
except ImportError as error:
    raise MissingDependencyError("training needs PyTorch; install it with: pip install 'pyspice-cim[train]'") from error

__all__ = ["torch"]
