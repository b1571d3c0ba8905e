import pytest

from terrashot.errors import ConfigError, DataError
from terrashot.papers.simtrans.folders.classes import choose_classes
from terrashot.papers.simtrans.folders.layouts.layout import Catalogue

CLASSES = ["wren", "crow", "finch", "heron", "owl"]


def catalogue(novel=None):
    return Catalogue(CLASSES, {}, {}, {}, "web/CLASS", novel)


def listed(tmp_path, name, *classes):
    path = tmp_path / name
    path.write_text("\n".join(classes) + "\n")
    return path


def test_the_published_novel_classes_are_taken_as_far_as_they_are_there(tmp_path):
    base, novel = choose_classes(catalogue(["owl", "ostrich", "crow"]), None, None)
    assert base == ["wren", "finch", "heron"]
    assert novel == ["crow", "owl"]  # in the order of the data


def test_a_list_stands_for_what_it_names_and_the_other_for_the_rest(tmp_path):
    novel = listed(tmp_path, "novel.txt", "owl", "", "  wren ")
    assert choose_classes(catalogue(["crow"]), None, novel) == (
        ["crow", "finch", "heron"],
        ["wren", "owl"],
    )
    base = listed(tmp_path, "base.txt", "heron", "crow")
    assert choose_classes(catalogue(["crow"]), base, None)[1] == ["wren", "finch", "owl"]
    assert choose_classes(catalogue(), base, novel) == (["crow", "heron"], ["wren", "owl"])


def test_lists_that_cannot_be_are_told(tmp_path):
    base = listed(tmp_path, "base.txt", "heron", "crow", "owl")
    novel = listed(tmp_path, "novel.txt", "owl", "wren")
    with pytest.raises(ConfigError, match=r"share 1 class\(es\): owl"):
        choose_classes(catalogue(), base, novel)
    strange = listed(tmp_path, "strange.txt", "owl", "herron")
    with pytest.raises(DataError, match=r"strange\.txt names 1 class.*herron.*did you mean heron"):
        choose_classes(catalogue(), None, strange)
    with pytest.raises(DataError, match="owl twice"):
        choose_classes(catalogue(), None, listed(tmp_path, "twice.txt", "owl", "owl"))
    with pytest.raises(DataError, match="does not exist"):
        choose_classes(catalogue(), None, tmp_path / "none.txt")
    with pytest.raises(ConfigError, match="1 novel classes of 5"):
        choose_classes(catalogue(), None, listed(tmp_path, "one.txt", "owl"))
    with pytest.raises(ConfigError, match=r"data\.novel is null.*5 classes.*data\.novel=FILE"):
        choose_classes(catalogue(), None, None)
