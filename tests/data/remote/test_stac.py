"""Catalogues: items, collections of items, static catalogues, searches of an API."""

import json
import sys

import pytest

from terrashot.data.remote.stac import Catalogued, catalogued
from terrashot.errors import ConfigError, DataError

pytest.importorskip("pystac_client", reason="the extra `stac` is not installed")

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(name, day="2023-07-01", bbox=(10, 50, 11, 51), collection="naip", **assets):
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    assets = assets or {"image": {"href": f"{name}.tif", "type": TIFF, "roles": ["data"]}}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(bbox),
        "properties": {"datetime": f"{day}T10:00:00Z"},
        "assets": assets,
        "links": [],
    }


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


ITEMS = [
    item("a.1", "2022-01-05"),
    item("b", "2023-07-01", (12, 50, 13, 51)),
    item("c", "2023-07-31", (12.5, 50, 14, 51), collection="other"),
    item("d", "2024-02-29", (179, -1, -179, 1)),
]


@pytest.fixture
def collected(tmp_path):
    return write(tmp_path / "items.json", {"type": "FeatureCollection", "features": ITEMS})


def names(value):
    return [file.stem for file in catalogued(value)]


def test_an_item_is_a_scene_of_its_name_whose_asset_lies_beside_it(tmp_path, monkeypatch):
    path = write(tmp_path / "s/item.json", item("S2A_X.N05", image={"href": "./x/B.tif"}))
    (file,) = catalogued(f"stac:{path}")
    assert (file.stem, file.gdal) == ("S2A_X.N05", str(tmp_path / "s/x/B.tif"))
    monkeypatch.chdir(tmp_path)
    assert catalogued("stac:s/item.json") == [file]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["a.1", "b", "c", "d"]),
        ("#date=2023", ["b", "c"]),
        ("#date=2023-07-01", ["b"]),
        ("#date=2023-07-02/..", ["c", "d"]),
        ("#date=../2023-07", ["a.1", "b", "c"]),
        ("#collection=naip", ["a.1", "b", "d"]),
        ("#collection=naip,other&date=2023", ["b", "c"]),
        ("#bbox=12.9,50.5,13.5,52", ["b", "c"]),
        ("#bbox=-179.5,0,-170,1", ["d"]),
        ("#bbox=170,0,-179.9,1", ["d"]),
        ("#collection=other&bbox=10,50,11,51", None),
        ("#date=2030", None),
    ],
)
def test_collection_box_and_date_choose_among_items(collected, asked, found):
    if found is None:
        with pytest.raises(DataError, match="no item of this catalogue fits"):
            names(f"stac:{collected}{asked}")
    else:
        assert names(f"stac:{collected}{asked}") == found


def test_of_several_assets_the_data_is_taken_or_must_be_named(tmp_path):
    def one(**assets):
        return f"stac:{write(tmp_path / 'i.json', item('i', **assets))}"

    preview = {"href": "p.png", "type": "image/png", "roles": ["thumbnail"]}
    notes = {"href": "m.xml", "type": "application/xml", "roles": ["metadata"]}
    red, blue = ({"href": f"{name}.tif", "type": TIFF} for name in ("red", "blue"))
    assert catalogued(one(p=preview, m=notes, r=red))[0].gdal.endswith("/red.tif")
    data = {**blue, "roles": ["data"]}
    assert catalogued(one(p=preview, r=red, b=data))[0].gdal.endswith("/blue.tif")
    with pytest.raises(DataError, match=r"which asset is meant\? There are b, p, r\."):
        catalogued(one(p=preview, r=red, b=blue))
    assert catalogued(one(r=red, b=blue) + "#asset=r")[0].gdal.endswith("/red.tif")
    with pytest.raises(DataError, match=r"no asset 'nir'\. There are r\..*#asset=KEY"):
        catalogued(one(r=red) + "#asset=nir")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("stac:", "names no catalogue"),
        ("stac:x.json#box=1", "collection, bbox, date, asset"),
        ("stac:x.json#date=", "with a value"),
        ("stac:x.json#date=2023&date=2024", "each once"),
        ("stac:x.json#bbox=1,2,3", "west, south, east and north"),
        ("stac:x.json#bbox=1,60,3,50", "west, south, east and north"),
        ("stac:x.json#bbox=1,2,x,4", "west, south, east and north"),
        ("stac:x.json#date=last%20year", "it must be a year"),
        ("stac:x.json#date=../..", "it must be a year"),
    ],
)
def test_words_that_cannot_be_are_refused(value, why):
    with pytest.raises(ConfigError, match=why):
        Catalogued.of(value)


def test_what_is_no_catalogue_is_said(tmp_path):
    for content in ('{"type": "Topology"}', "[1", '{"type": "Feature"}'):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(DataError, match=r"x\.json cannot be read as a STAC catalogue"):
            catalogued(f"stac:{tmp_path / 'x.json'}")
    with pytest.raises(DataError, match="cannot be read as a STAC catalogue"):
        catalogued(f"stac:{tmp_path / 'missing.json'}")


def test_without_the_package_the_extra_is_named(collected, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystac", None)
    with pytest.raises(ConfigError, match=r"pip install terrashot\[stac\]"):
        catalogued(f"stac:{collected}")


def test_a_static_catalogue_is_walked_and_a_busy_server_asked_again(served, monkeypatch):
    for one in ITEMS[:2]:
        links = [{"rel": "self", "href": f"{served.url}/naip/{one['id']}.json"}]
        write(served.folder / f"naip/{one['id']}.json", {**one, "links": links})
    child = {
        "type": "Collection", "stac_version": "1.0.0", "id": "naip", "description": "x",
        "license": "other",
        "extent": {"spatial": {"bbox": [[10, 50, 13, 51]]},
                   "temporal": {"interval": [["2022-01-01T00:00:00Z", None]]}},
        "links": [{"rel": "item", "href": f"./{one['id']}.json"} for one in ITEMS[:2]],
    }  # fmt: skip
    write(served.folder / "naip/collection.json", child)
    root = {"type": "Catalog", "stac_version": "1.0.0", "id": "root", "description": "x",
            "links": [{"rel": "child", "href": "./naip/collection.json"}]}  # fmt: skip
    write(served.folder / "catalog.json", root)
    served.faults({"kind": 503, "path": "catalog", "times": 1, "all": True, "retry_after": 1})
    found = catalogued(f"stac:{served.url}/catalog.json")
    assert [file.address for file in found] == [
        f"{served.url}/naip/{one}.tif" for one in ("a.1", "b")
    ]
    first, second = [r["time"] for r in served.log()["requests"] if "catalog" in r["line"]][:2]
    assert second - first >= 1  # as the server had asked for
    assert names(f"stac:{served.url}/naip/collection.json#date=2022") == ["a.1"]
    assert names(f"stac:{served.url}/naip/b.json") == ["b"]
    with pytest.raises(DataError, match=r"x\.json\?\.\.\. cannot be read") as error:
        catalogued(f"stac:{served.url}/x.json?sig=secret")
    assert "secret" not in str(error.value)
    monkeypatch.setattr("terrashot.data.remote.stac._ATTEMPTS", 0)
    with pytest.raises(DataError, match="cannot be read") as error:
        catalogued("stac:http://127.0.0.1:9/x.json?sig=secret")
    assert "secret" not in str(error.value)


def test_an_api_is_searched_with_collection_box_and_date(served):
    root = {
        "type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "x",
        "conformsTo": ["https://api.stacspec.org/v1.0.0/core",
                       "https://api.stacspec.org/v1.0.0/item-search"],
        "links": [{"rel": "self", "href": f"{served.url}/api.json"},
                  {"rel": "root", "href": f"{served.url}/api.json"},
                  {"rel": "search", "href": f"{served.url}/search", "method": "GET",
                   "type": "application/geo+json"}],
    }  # fmt: skip
    write(served.folder / "api.json", root)
    image = {"href": "s3://bucket/key/b.tif", "type": TIFF}
    found = [item("b", bbox=(12, 50, 13, 51), image=image), item("far", bbox=(0, 0, 1, 1))]
    write(served.folder / "search", {"type": "FeatureCollection", "features": found, "links": []})
    with pytest.raises(ConfigError, match="would list all that it has"):
        catalogued(f"stac:{served.url}/api.json#asset=image")
    asked = "collection=naip&bbox=12,50,13,51&date=2023-07&asset=image"
    (file,) = catalogued(f"stac:{served.url}/api.json#{asked}")
    assert (file.stem, file.gdal) == ("b", "/vsis3/bucket/key/b.tif")
    (line,) = [r["line"] for r in served.log()["requests"] if "/search" in r["line"]]
    for part in ("collections=naip", "bbox=12", "datetime=2023-07-01"):
        assert part in line
