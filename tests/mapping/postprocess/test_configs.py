import numpy as np
import pytest
from PIL import Image

from terrashot.app.config.compose import compose_settings
from terrashot.app.run.bench import SettingsBench
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.rule import Draft
from terrashot.taxonomy import Taxonomy

# Of the folder post-process of the published code.
FOLDERS = {
    "building_1": "cascadepsp/building_type_1",
    "building_2": "cascadepsp/building_type_2",
    "sports_field": "ape/cvpr2024_oem_crop-256-128_thres-0.2_sportfield_instance",
    "water": "ape/cvpr2024_oem_ori_thres-0.12_water_instance",
    "vehicle": "ape/cvpr2024_oem_crop-256-128_thres-0.1_car_instance",
}
ROAD, WATER, ROOF, VEHICLE, PARKING, FIELD, ROOF_2 = range(5, 12)


@pytest.fixture
def build(repository):
    def run(*overrides):
        fixed = ["experiment=stage2", "data=openearthmap"]
        settings = compose_settings(repository / "configs", [*fixed, *overrides])
        return SettingsBench(settings).build("postprocess"), Taxonomy.from_dict(
            settings.data.taxonomy
        )

    return run


def test_clean_goes_with_any_classes_and_removes_specks(build):
    rules, taxonomy = build("postprocess=clean", "postprocess.rules.size.pixels=5")
    rules.check(taxonomy, scores=False)
    ids = np.full((20, 20), 3, dtype=np.uint8)
    ids[0, :4] = 2
    ids[10, 10] = 1
    *_, last = rules.run(Draft("tile", BlockMap.of(ids), taxonomy))
    assert (last.array() == 3).all()


def test_the_rules_of_classtrans_on_openearthmap(build, tmp_path):
    """One object of every kind that its authors' rules speak of, in strips of 4 rows."""
    rules, taxonomy = build("postprocess=openearthmap", f"paths.masks={tmp_path}")
    assert rules.external_masks
    assert rules.needs_scores
    ids = np.full((40, 12), ROAD, dtype=np.uint8)
    masks = {n: np.zeros_like(ids) for n in rules.rules if n not in ("weak", "parking")}
    expected = ids.copy()
    ids[0:2, 0:2], ids[0:2, 4:6] = VEHICLE, ROOF_2  # found better by masks: back to second best
    masks["building_1"][4:6, :3], expected[4:6, :3] = 255, ROOF
    masks["building_2"][4:6, 6:9], expected[4:6, 6:9] = 255, ROOF_2
    masks["sports_field"][8:10, :4], masks["sports_field"][8:10, 6:9] = 1, 1
    ids[8, 0] = FIELD  # the map agrees on one pixel of the first one
    expected[8:10, :4] = FIELD
    ids[12:14, 6:9] = 0
    masks["water"][12:14, :4], masks["water"][12:14, 6:10] = 1, 1
    expected[12:14, :4], expected[12:14, 6:10] = WATER, 0  # the second is mostly a river
    ids[16:19, :3] = expected[16:19, :3] = ROOF
    masks["vehicle"][17, 1], masks["vehicle"][17, 6] = 1, 1  # the first one on a roof
    expected[17, 6] = VEHICLE
    ids[20:24, :4] = ids[20:24, 6:10] = PARKING
    masks["vehicle"][21, 1] = 1
    expected[20:24, :4], expected[21, 1] = PARKING, VEHICLE
    masks["vehicle"][19, 7] = 1  # above the second one, not inside
    expected[20:24, 6:10], expected[19, 7] = 0, VEHICLE
    for name, mask in masks.items():
        folder = tmp_path / FOLDERS[name]
        folder.mkdir(parents=True)
        Image.fromarray(mask).save(folder / "tokyo_1.png")
    rules.check(taxonomy, {"tokyo_1": [(40, 12)]})

    def scores(left_out):
        assert sorted(left_out) == [VEHICLE, ROOF_2]
        return np.full_like(ids, ROAD)

    *_, last = rules.run(Draft("tokyo_1", BlockMap.of(ids), taxonomy, scores=scores))
    np.testing.assert_array_equal(last.array(), expected)
