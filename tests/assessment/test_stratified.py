"""Golden figures of the two papers, hand-derived ones, and the coverage of the intervals.

Olofsson and others 2014: the counts are their Table 8, the figures those of Table 9 and sections
5.2.1 and 5.2.2. Two half-widths of producer's accuracies are printed as 0.23 and 0.01; their own
equation 7 gives 0.25 and 0.02, as do other implementations. Stehman 2014: the pixels are his Table
2, the figures those of section 4. His standard error of the producer's accuracy of B is printed as
0.114, with a variance of 0 for the fourth stratum; his Table 3 has 0.1 there, which gives 0.116.
"""

import numpy as np
import pytest

from terrashot.assessment.stratified import stratified_accuracy

# Deforestation, forest gain, stable forest, stable non-forest; 640 pixels of 30 m.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARE = 0.09

STRATA = "A" * 10 + "B" * 10 + "C" * 10 + "D" * 10
MAP = "A" * 7 + "BBB" + "A" + "B" * 11 + "C" * 6 + "BB" + "D" * 10
REFERENCE = "AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"
SIZES = np.array([40_000, 30_000, 20_000, 10_000])


def by_class(matrix):
    """Counts where strata are the classes of the map [K, K, K]."""
    return np.eye(len(matrix))[:, :, None] * np.asarray(matrix)[None]


def counted(strata, mapped, reference, classes="ABCD"):
    found = np.zeros((len(set(strata)), len(classes), len(classes)))
    for where in zip(strata, mapped, reference, strict=True):
        found[tuple(classes.index(word) for word in where)] += 1
    return found


@pytest.fixture(scope="module")
def olofsson():
    return stratified_accuracy(by_class(OLOFSSON), PIXELS)


@pytest.fixture(scope="module")
def stehman():
    return stratified_accuracy(counted(STRATA, MAP, REFERENCE), SIZES, SIZES)


def test_olofssons_error_matrix(olofsson):
    printed = [
        [0.0176, 0, 0.0013, 0.0011],
        [0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    np.testing.assert_allclose(np.round(olofsson.matrix, 4), printed, atol=1e-12)


def test_olofssons_accuracies_and_their_half_widths(olofsson):
    def shown(values):
        return np.round(values, 2).tolist()

    assert shown(olofsson.overall.values) == 0.95
    assert shown(1.96 * olofsson.overall.errors) == 0.02
    assert shown(olofsson.users.values) == [0.88, 0.73, 0.93, 0.96]
    assert shown(1.96 * olofsson.users.errors) == [0.07, 0.10, 0.04, 0.02]
    assert shown(olofsson.producers.values) == [0.75, 0.85, 0.93, 0.96]
    assert shown(1.96 * olofsson.producers.errors) == [0.21, 0.25, 0.03, 0.02]


def test_olofssons_areas_in_hectares(olofsson):
    whole = PIXELS.sum() * HECTARE
    areas, margins = whole * olofsson.shares.values, whole * 1.96 * olofsson.shares.errors
    assert np.round(areas).tolist() == [21158, 11686, 285770, 581386]
    assert np.round(margins).tolist() == [6158, 3756, 15510, 16282]
    assert whole * olofsson.shares.margins(0.95) == pytest.approx(margins, rel=3e-5)


def test_stehmans_estimates(stehman):
    assert stehman.shares.values[0] == pytest.approx(0.35)
    assert stehman.shares.values[2] == pytest.approx(0.20)
    assert stehman.overall.values == pytest.approx(0.63)
    assert round(stehman.users.values[1], 3) == 0.574
    assert round(stehman.producers.values[1], 3) == 0.794
    assert stehman.matrix[1, 2] == pytest.approx(0.08)


def test_stehmans_standard_errors(stehman):
    assert round(stehman.shares.errors[0], 3) == 0.082
    assert round(stehman.shares.errors[2], 3) == 0.064
    assert round(float(stehman.overall.errors), 3) == 0.085
    assert round(stehman.users.errors[1], 3) == 0.125
    assert stehman.producers.errors[1] == pytest.approx(0.1165, abs=5e-5)


def test_strata_of_classes_are_the_special_case_of_olofsson(olofsson):
    """His equations 5 to 7, written down."""
    weights, units = PIXELS / PIXELS.sum(), OLOFSSON.sum(axis=1)
    users = OLOFSSON.diagonal() / units
    np.testing.assert_allclose(
        olofsson.users.errors, np.sqrt(users * (1 - users) / (units - 1)), rtol=1e-12
    )
    variance = (weights**2 * users * (1 - users) / (units - 1)).sum()
    assert olofsson.overall.errors == pytest.approx(np.sqrt(variance), rel=1e-12)
    shares = OLOFSSON / units[:, None]
    true = PIXELS @ shares  # pixels of each class
    for j in range(4):
        producer = PIXELS[j] * users[j] / true[j]
        own = PIXELS[j] ** 2 * (1 - producer) ** 2 * users[j] * (1 - users[j]) / (units[j] - 1)
        rest = [
            PIXELS[i] ** 2 * shares[i, j] * (1 - shares[i, j]) / (units[i] - 1)
            for i in range(4)
            if i != j
        ]
        expected = np.sqrt((own + producer**2 * sum(rest)) / true[j] ** 2)
        assert olofsson.producers.errors[j] == pytest.approx(expected, rel=1e-12)


def test_a_stratum_with_one_unit_leaves_unknown_what_it_is_part_of():
    found = stratified_accuracy(by_class([[8, 2], [0, 1]]), np.array([90, 10]))
    assert found.overall.values == pytest.approx(0.9 * 0.8 + 0.1)
    assert np.isnan(found.overall.errors)
    assert np.isnan(found.shares.errors).all()
    assert found.users.errors[0] == pytest.approx(np.sqrt(0.16 / 9))
    assert np.isnan(found.users.errors[1])


def test_a_stratum_that_was_looked_at_as_a_whole_has_no_error():
    areas, sizes = np.array([90.0, 1.0]), np.array([90, 1])
    found = stratified_accuracy(by_class([[8, 2], [0, 1]]), areas, sizes)
    assert found.users.errors[1] == 0
    weight = 90 / 91
    expected = weight * np.sqrt((1 - 10 / 90) * 0.16 / 9)
    assert found.overall.errors == pytest.approx(expected)


def test_a_stratum_without_units_is_unknown_and_one_without_ground_has_no_part():
    unknown = stratified_accuracy(by_class([[8, 2], [0, 0]]), np.array([90, 10]))
    assert np.isnan(unknown.overall.values)
    found = stratified_accuracy(by_class([[8, 2], [0, 0]]), np.array([90, 0]))
    assert found.overall.values == pytest.approx(0.8)
    assert found.shares.values == pytest.approx([0.8, 0.2])
    assert np.isnan(found.users.values[1])


def test_the_interval_is_cut_at_0_and_1():
    found = stratified_accuracy(by_class([[9, 1], [1, 9]]), np.array([1, 1]))
    low, high = found.users.interval(0.999)
    assert high.tolist() == [1, 1]
    assert (low < 0.9).all()


@pytest.mark.parametrize("same", [True, False], ids=["strata are classes", "strata are others"])
def test_95_intervals_of_10000_samples_hold_the_truth_in_94_to_96_of_100(same):
    """A known map of 4 classes, drawn from without replacement, 10,000 times."""
    rng = np.random.default_rng(0)
    # Pixels by stratum, class of the map and class of the reference.
    right = np.array([0.82, 0.75, 0.88, 0.90])
    sizes = np.array([60_000, 90_000, 250_000, 600_000])
    rates = right[:, None] * np.eye(4) + (1 - right)[:, None] / 3 * (1 - np.eye(4))
    population = by_class(np.rint(sizes[:, None] * rates))
    if not same:  # the classes of an older map, which agrees with this one in 80 of 100
        mixed = 0.8 * np.eye(4) + 0.2 / 3 * (1 - np.eye(4))
        population = np.rint(np.einsum("hi,ij->hij", mixed, population.sum(axis=0)))
    strata = population.sum(axis=(1, 2))
    units = np.array([700, 700, 900, 1200])
    counts = np.stack(
        [
            rng.multivariate_hypergeometric(cells.astype(int), n, size=10_000).reshape(-1, 4, 4)
            for cells, n in zip(population.reshape(4, 16), units, strict=True)
        ],
        axis=1,
    )
    found = stratified_accuracy(counts, strata, strata)
    whole = population.sum(axis=0) / population.sum()
    truths = {
        "overall": whole.diagonal().sum(),
        "users": whole.diagonal() / whole.sum(axis=1),
        "producers": whole.diagonal() / whole.sum(axis=0),
        "shares": whole.sum(axis=0),
    }
    for name, truth in truths.items():
        low, high = getattr(found, name).interval(0.95)
        covered = ((low <= truth) & (truth <= high)).mean(axis=0)
        assert np.all((covered > 0.94) & (covered < 0.96)), (name, covered)
        bias = getattr(found, name).values.mean(axis=0) - truth
        assert np.abs(bias).max() < 2e-3, name
