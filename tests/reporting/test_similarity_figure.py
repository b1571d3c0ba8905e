import numpy as np
import pytest
import torch

from terrashot.reporting.figures import figure_to_array
from terrashot.reporting.similarity_figure import similarity_figure
from terrashot.reporting.transition_figure import transition_figure
from terrashot.taxonomy import Taxonomy


def taxonomy(base, novel):
    return Taxonomy.from_dict(
        {
            "background": {"name": "background", "color": "#000000"},
            "base": [{"name": f"agric land type {i}", "color": "#226126"} for i in range(base)],
            "novel": [{"name": f"vehicle & cargo {i}", "color": "#2266dd"} for i in range(novel)],
        }
    )


@pytest.mark.parametrize(("base", "novel"), [(2, 1), (3, 2), (7, 4), (11, 8)])
def test_novel_is_on_x_and_base_on_y_and_no_word_is_cut_off(base, novel):
    classes = taxonomy(base, novel)
    shares = torch.rand(base + 1, novel, generator=torch.Generator().manual_seed(0))
    figure = similarity_figure(shares / shares.sum(dim=0), classes, "prototype_cosine")
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == classes.names[base + 1 :]
    assert [t.get_text() for t in axis.get_yticklabels()] == classes.names[: base + 1]
    height, width = figure_to_array(figure).shape[:2]
    for text in [*axis.get_xticklabels(), *axis.get_yticklabels(), axis._left_title]:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_cells_are_percent_and_the_nearest_base_class_is_framed():
    shares = np.array([[0.7, 0.004], [0.2, 0.006], [0.1, 0.99]])
    axis = similarity_figure(shares, taxonomy(2, 2)).axes[0]
    texts = {tuple(map(int, t.get_position())): t.get_text() for t in axis.texts}
    assert texts[(0, 0)] == "70"
    assert texts[(1, 0)] == "0.4"
    assert texts[(1, 2)] == "99"
    assert len(axis.patches) == 2
    uniform = similarity_figure(np.full((3, 2), 1 / 3), taxonomy(2, 2)).axes[0]
    assert len(uniform.patches) == 0


def test_a_matrix_of_another_orientation_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        similarity_figure(torch.full((2, 3), 1 / 2), taxonomy(2, 2))


def test_a_transition_names_all_classes_and_its_scale_is_symmetric():
    taxonomy = Taxonomy.from_dict(
        {
            "background": {"name": "background", "color": "#000000"},
            "base": [{"name": "tree", "color": "#226126"}],
            "novel": [{"name": "pool", "color": "#2266dd"}],
        }
    )
    figure = transition_figure([[0.5, 0.0], [-0.001, 0.2], [-0.1, 0.3]], taxonomy, "Shared")
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["background", "tree", "pool"]
    assert [t.get_text() for t in axis.texts] == ["0.50", "0", "0", "0.20", "-0.10", "0.30"]
    assert axis.images[0].get_clim() == (-0.5, 0.5)
    with pytest.raises(ValueError, match="shape"):
        transition_figure([[1.0]], taxonomy)
