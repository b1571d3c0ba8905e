from tests.fixtures.dataset import dataset, taxonomy, write_raster

__all__ = ["dataset", "taxonomy", "write_raster"]
