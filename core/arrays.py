"""Arrays in files, with errors that say what the disk did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write what `np.load` reads, as `np.save` does, whose own error doesn't tell that the disk is full.

    Args:
        path: the file to make or replace.
        array: of one dimension or more, and of any numbers.

    Raises:
        OSError: it can't be written, with the system's number for why.
    """
    whole = np.ascontiguousarray(array)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        file.write(whole.data)
