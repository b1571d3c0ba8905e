"""Where the configuration lies: ``configs/`` of a checkout, or the copy inside an installation."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_MAIN = "run.yaml"


def configs_folder() -> Path:
    """The folder of ``run.yaml`` and of one folder a group.

    A checkout has it beside ``src/``, a wheel inside the package. The checkout's comes first, so
    that an editable installation follows what is edited.

    Raises:
        FileNotFoundError: neither is there; the installation is not whole.
    """
    candidates = (_PACKAGE.parent.parent / "configs", _PACKAGE / "configs")
    for folder in candidates:
        if (folder / _MAIN).is_file():
            return folder
    raise FileNotFoundError(
        f"terrashot's configs were found neither in {candidates[0]} nor in {candidates[1]}; the "
        "installation is not whole. Install terrashot again."
    )


def wing_folders() -> list[Path]:
    """The ``configs/`` of each paper's wing that has some; groups of the same names lie there."""
    return sorted(p for p in (_PACKAGE / "papers").glob("*/configs") if p.is_dir())


def config_folders() -> list[Path]:
    """All folders of groups: the core's, the wings', and ``configs/`` of the folder one is in.

    The last is for people's own datasets beside an installed terrashot.
    """
    folders = [configs_folder(), *wing_folders()]
    own = Path.cwd() / "configs"
    if own.is_dir() and not any(own.samefile(folder) for folder in folders):
        folders.append(own)
    return folders


def find_option(group: str, option: str) -> Path | None:
    """The file of an option of a group, in any folder; None where there is none."""
    for folder in config_folders():
        path = folder / group / f"{option}.yaml"
        if path.is_file():
            return path
    return None


def options_of(group: str) -> list[str]:
    """The options of a group in all folders, sorted."""
    files = (path for folder in config_folders() for path in (folder / group).glob("*.yaml"))
    return sorted({path.stem for path in files})
