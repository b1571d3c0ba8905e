"""Tables of MATLAB files."""

from pathlib import Path

import numpy as np

from terrashot.errors import DataError


def read_matlab(path: Path, name: str) -> np.ndarray:
    """A variable of a ``.mat`` file, as SciPy reads it.

    Raises:
        DataError: no such file, no MATLAB file, no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    remedy = "Unpack the dataset again, or name another folder with data.root=FOLDER."
    if not path.is_file():
        raise DataError(f"{path} does not exist, but the dataset needs it. {remedy}")
    # SciPy 1.11 looks for a version beyond the end of a file that is too short.
    damage = (MatReadError, ValueError, NotImplementedError, OSError, TypeError, IndexError)
    try:
        content = loadmat(path)
    except damage as error:
        raise DataError(f"{path} cannot be read as a MATLAB file ({error}). {remedy}") from error
    if name not in content:
        known = ", ".join(k for k in content if not k.startswith("__"))
        raise DataError(f"{path} holds {known or 'nothing'}, but '{name}' was expected. {remedy}")
    return np.asarray(content[name])
