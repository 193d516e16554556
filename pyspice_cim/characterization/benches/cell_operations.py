"""What a bit cell does, as a plan names it and the cells' benches measure it."""

from typing import Literal, get_args

CellOperation = Literal["hold", "read", "write"]
CELL_OPERATIONS: tuple[CellOperation, ...] = get_args(CellOperation)
