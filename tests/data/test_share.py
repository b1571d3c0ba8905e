import pytest

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.layout import Tile
from terrashot.data.share import share_of
from terrashot.errors import ConfigError


@pytest.fixture
def tiles(tmp_path):
    return [Tile(f"tile_{i}", tmp_path / f"{i}.tif", None) for i in range(40)]


def test_the_share_is_chosen_by_seed_and_small_ones_lie_in_large_ones(tiles):
    tenth, half = share_of(tiles, 0.1, 0), share_of(tiles, 0.5, 0)
    assert len(tenth) == 4
    assert len(half) == 20
    assert set(tenth) < set(half)
    assert tenth == share_of(tiles, 0.1, 0) != share_of(tiles, 0.1, 1)
    assert half == [tile for tile in tiles if tile in half]  # in the order of the list
    assert share_of(tiles, 1.0, 5) == tiles
    assert len(share_of(tiles, 0.001, 0)) == 1


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_no_share_is_refused(tiles, share):
    with pytest.raises(ConfigError, match=r"data\.train_share"):
        share_of(tiles, share, 0)


def test_training_sees_the_share_alone(dataset, taxonomy):
    data = FewShotDataModule(dataset, taxonomy, train_share=1 / 3, batch_size=1, num_workers=0)
    data.setup("fit")
    names = {name for batch in data.train_dataloader() for name in batch["name"]}
    assert names == {tile.name for tile in share_of(data.layout.train, 1 / 3, 0)}
    assert len(names) == 3
    whole = FewShotDataModule(dataset, taxonomy).train_label_counts()
    assert 0 < data.train_label_counts().sum() < whole.sum()
