import pytest
import yaml

from terrashot.similarity.class_phrases import class_phrase, class_phrases


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("agric land type 1", "agricultural land"),
        ("sea, lake & pond", "sea, lake and pond"),
        ("vehicle & cargo-trailer", "vehicle and cargo trailer"),
        ("building type 2", "building"),
        ("bareland", "bare land"),
        ("sports_field", "sports field"),
        ("Road", "road"),
        ("background", "other land"),
        ("tree", "tree"),
        ("12", "12"),
    ],
)
def test_names_become_readable(name, phrase):
    assert class_phrase(name) == phrase


def test_given_phrases_win_and_null_leaves_out():
    given = {"tree": "a forest", "background": None}
    assert class_phrases(["background", "tree", "road"], given) == [None, "a forest", "road"]


def test_no_name_of_the_datasets_keeps_a_sign_or_a_number(repository):
    for path in (repository / "configs" / "data").glob("*.yaml"):
        # data=scenes has no names of its own: its layer names the classes.
        for row in yaml.safe_load(path.read_text())["taxonomy"].get("base", []):
            phrase = class_phrase(row["name"])
            assert phrase.replace(" ", "").replace(",", "").isalpha(), phrase
