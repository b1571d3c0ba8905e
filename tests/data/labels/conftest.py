"""Classes of a layer."""

import pytest

from terrashot.taxonomy import Taxonomy


@pytest.fixture
def taxonomy():
    """Background, tree and road; then the classes that are asked for."""

    def make(*names):
        rows = [{"name": n, "color": f"#00{i:02x}00"} for i, n in enumerate(("bg", "tree", "road"))]
        novel = [{"name": n, "color": f"#{i:02x}0000"} for i, n in enumerate(names, start=1)]
        return Taxonomy.from_dict(
            {"name": "t", "background": rows[0], "base": rows[1:], "novel": novel}
        )

    return make
