from terrashot.adaptation.support.folds import left_out_folds


def counts(*tiles):
    """``tile_counts`` of tiles with their novel class (3 base classes) and background."""
    found = {}
    for number, own in enumerate(tiles):
        found.setdefault((own, own), []).append((number, 5))
        found.setdefault((0, own), []).append((number, 9))
        found.setdefault((255, own), []).append((number, 1))
    return found


def test_a_fold_takes_one_tile_of_each_class():
    folds = left_out_folds(counts(3, 3, 3, 4, 4, 4), 3, 6)
    assert folds == [[0, 3], [1, 4], [2, 5]]


def test_the_tile_of_a_class_that_has_one_is_never_left_out():
    assert left_out_folds(counts(3, 3, 4), 3, 3) == [[0], [1]]
    assert left_out_folds(counts(3, 4), 3, 2) == []


def test_many_tiles_share_five_folds():
    folds = left_out_folds(counts(*[3] * 12), 3, 12)
    assert folds == [[0, 5, 10], [1, 6, 11], [2, 7], [3, 8], [4, 9]]


def test_a_class_within_tiles_of_another_keeps_one_of_them():
    """Class 4 lies in tiles 0 and 5 of class 3, which would be in one fold."""
    found = {(3, 3): [(n, 5) for n in range(10)], (4, 3): [(0, 2), (5, 2)]}
    folds = left_out_folds(found, 3, 10)
    assert [0, 5] not in folds
    assert folds == [[1, 6], [2, 7], [3, 8], [4, 9]]


def test_what_a_method_labelled_itself_is_not_scored():
    found = {(3, 3): [(0, 5), (1, 5)], (3, None): [(2, 9)]}
    assert left_out_folds(found, 3, 2) == [[0], [1]]
