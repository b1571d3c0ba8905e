"""The label ids of the demo set: the challenge's base classes and the novel ones of its test."""

from enum import IntEnum


class Land(IntEnum):
    """Label ids in the order of ``TAXONOMY``."""

    BACKGROUND = 0
    TREE = 1
    RANGELAND = 2
    BARELAND = 3
    AGRICULTURE = 4
    ROAD = 5
    WATER = 6
    BUILDING = 7
    VEHICLE = 8
    PARKING = 9
    SPORTS_FIELD = 10
    HALL = 11


BASE = tuple(Land(i) for i in range(1, 8))
NOVEL = tuple(Land(i) for i in range(8, 12))

TAXONOMY = {
    "name": "demo",
    "background": {"name": "background", "color": "#000000"},
    "base": [
        {"name": "tree", "color": "#226126"},
        {"name": "rangeland", "color": "#00ff24"},
        {"name": "bareland", "color": "#800000"},
        {"name": "agric land type 1", "color": "#4bb549"},
        {"name": "road type 1", "color": "#ffffff"},
        {"name": "sea, lake & pond", "color": "#0045ff"},
        {"name": "building type 1", "color": "#de1f07"},
    ],
    "novel": [
        {"name": "vehicle & cargo-trailer", "color": "#ffd500"},
        {"name": "parking space", "color": "#949494"},
        {"name": "sports field", "color": "#00e6d2"},
        {"name": "building type 2", "color": "#a040ff"},
    ],
}
