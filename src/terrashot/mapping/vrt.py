"""What a VRT is made of: its sources must be there, and of one resolution."""

from pathlib import Path
from xml.etree import ElementTree

from terrashot.errors import DataError

_SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource")


def check_vrt(path: Path) -> list[Path]:
    """The files that a VRT shows, those of VRTs inside it included.

    Raises:
        DataError: not readable, a source is missing, or sources differ in resolution: one of them
            would be mapped enlarged or shrunk, at another ground sampling than its neighbour.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise DataError(f"{path} cannot be read as a VRT: {error}. Make it again.") from error
    files: dict[Path, None] = {}
    scales: dict[tuple[float, float], Path] = {}
    for kind in _SOURCES:
        for source in root.iter(kind):
            name = source.find("SourceFilename")
            if name is None or not name.text:
                continue
            file = Path(name.text)
            if name.get("relativeToVRT") == "1":
                file = path.parent / file
            if "://" not in name.text and not name.text.startswith("/vsi"):
                if not file.is_file():
                    raise DataError(
                        f"{path} shows {file}, which does not exist. Restore the file, or make the "
                        "VRT again (gdalbuildvrt)."
                    )
                files[file] = None
            scale = _scale(source)
            if scale is not None:
                scales.setdefault(scale, file)
    if len(scales) > 1:
        (one, first), (other, second) = list(scales.items())[:2]
        raise DataError(
            f"{path} changes its resolution: it shows {first.name} at {one[0]:g} x {one[1]:g} and "
            f"{second.name} at {other[0]:g} x {other[1]:g} pixels for each of theirs. Bring the "
            "files to one pixel size first (gdalwarp -tr), or make a VRT for each pixel size."
        )
    for file in list(files):
        if file.suffix.lower() == ".vrt":
            files.update(dict.fromkeys(check_vrt(file)))
    return list(files)


def _scale(source: ElementTree.Element) -> tuple[float, float] | None:
    """Pixels of the VRT for one pixel of the source, along x and y."""
    shown, taken = source.find("DstRect"), source.find("SrcRect")
    if shown is None or taken is None:
        return None
    sides = []
    for key in ("xSize", "ySize"):
        size = float(taken.get(key, 0))
        if size <= 0:
            return None
        # A source cut at the border of the VRT is a fraction of a pixel off.
        sides.append(round(float(shown.get(key, 0)) / size, 2))
    return sides[0], sides[1]
