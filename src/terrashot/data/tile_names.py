"""Names of tiles in lists that other systems have written."""

import codecs
import unicodedata
from pathlib import Path

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_KINDS = ("images", "labels")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like that of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_list_text(path: Path) -> str:
    """A text in UTF-8 or UTF-16, with a byte-order mark or without one.

    Raises:
        OSError: not readable.
        ValueError: another encoding, in which the same bytes can mean several names.
    """
    content = path.read_bytes()
    encoding = next((e for mark, e in _MARKS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content[:4]:
        # No name begins with a zero: the other half of an ASCII sign in UTF-16.
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 or UTF-16: {error}") from error


def listed_name(text: str, folder: str) -> str:
    """The file name in an entry of a list, which may be quoted or have ``trainset/images/`` before.

    Args:
        text: The entry; blanks and quotes around it, and the folders of the layout before it, are
            no part of the name. Empty where nothing is left.
        folder: The folder of the layout whose files are listed, such as ``trainset``.

    Raises:
        ValueError: the entry lies in another folder, in which another file may have that name.
    """
    name = text.strip().strip("\ufeff\0").strip()
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    *folders, name = name.replace("\\", "/").split("/")
    parts = [part for part in folders if part not in ("", ".")]
    if parts and not (parts[-1] in _KINDS and parts[-2:-1] in ([], [folder])):
        raise ValueError(
            f"'{text.strip()}' lies in {'/'.join(parts)}/, but names of files in {folder}/images/ "
            "were expected"
        )
    return name


def tile_name(file: str) -> str:
    """The name of a tile: that of its file without an image suffix; other dots belong to it.

    Two spellings of one accent (macOS writes the second one) are one name.
    """
    path = Path(file)
    return one_form(path.stem if path.suffix.lower() in SUFFIXES else path.name)


def one_form(name: str) -> str:
    """A name in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name)
