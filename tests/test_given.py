"""What is given to a fit: every message, every edge."""

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR

import scalekit as sk
from scalekit.fits import given

LAW = sk.Law(CHINCHILLA)
LINE = sk.Law("y(x) = a*x + b", real=["b"])


@pytest.fixture
def runs():
    """Return twelve runs with unlike N and D, their labels those of another table."""
    N, D = np.geomspace(1e7, 1e10, 12), 1e9 * (1 + np.arange(12) % 5)
    return pd.DataFrame({"N": N, "D": D, "L": 2 + 1e3 / D**0.3}, index=range(100, 112))


def table(law, runs, loss="huber", delta=1e-3, space="log", weights=None):
    return given.table(law, runs, loss, delta, space, weights, "who")


# the table ----------------------------------------------------------------------------------------


def test_inputs_output_and_weights_as_arrays(runs):
    x, y, w = table(LAW, runs[["L", "D", "N"]])
    assert [column.tolist() for column in x] == [runs["N"].tolist(), runs["D"].tolist()]
    assert y.tolist() == runs["L"].tolist() and w.tolist() == [1.0] * 12
    assert all(isinstance(column, np.ndarray) for column in (*x, y, w))


def test_messages_about_columns(runs):
    for change, message in [
        (
            {"D": [0.0, 1e9, 1e9, -1.0] + [2e9] * 8},
            r"column 'D' has 2 values <= 0 \(rows 100, 103\)",
        ),
        ({"L": [2.0, np.nan] + [3.0] * 10}, r"'L' has 1 missing or infinite value \(row 101\)"),
        ({"L": [2.0, np.inf] + [3.0] * 10}, r"'L' has 1 missing or infinite value \(row 101\)"),
        (
            {"L": ["2.0", "x"] + ["3.0"] * 10},
            "column 'L' has 12 values, not numbers, such as '2.0'",
        ),
    ]:
        with pytest.raises(ValueError, match="who: .*" + message):
            table(LAW, runs.assign(**change))
    with pytest.raises(ValueError, match=r"who: no column 'D'.* runs\.rename"):
        table(LAW, runs.drop(columns="D"))
    with pytest.raises(ValueError, match="who: no column 'L'"):
        table(LAW, runs.drop(columns="L"))
    with pytest.raises(ValueError, match=r"who: runs must be a pandas DataFrame.* load it first"):
        table(LAW, "chinchilla")
    with pytest.raises(ValueError, match="who: the table of runs has no rows"):
        table(LAW, runs.iloc[:0])


def test_only_what_stands_in_a_logarithm_must_be_positive():
    signs = pd.DataFrame({"x": [-1.0, 0, 1], "y": [-1.0, 0, 1]})
    x, y, _ = table(LINE, signs, space="linear")
    assert x[0].tolist() == y.tolist() == [-1, 0, 1]
    with pytest.raises(ValueError, match="column 'y' has 2 values <= 0"):
        table(LINE, signs)
    power = sk.Law("y(x) = a*x**b")
    with pytest.raises(ValueError, match="column 'x' has 2 values <= 0"):
        table(power, signs, space="linear")


def test_loss_space_and_delta(runs):
    for how, message in [
        (
            {"loss": "hubber"},
            r"no loss 'hubber'\. Did you mean 'huber'\? There are: huber, squared",
        ),
        ({"loss": None}, "no loss None"),
        ({"loss": ["huber"]}, r"no loss \['huber'\]\. Did you mean 'huber'\? There"),
        ({"loss": np.array(["huber", "squared"])}, r"no loss array\(\['huber', "),
        ({"space": np.array(["log", "log"])}, r"no space array\(\['log', "),
        ({"space": {}}, r"no space {}"),
        ({"delta": 10**309}, "delta must be a positive number, got 1000"),
        ({"space": "logs"}, r"no space 'logs'\. Did you mean 'log'\? There are: log, linear"),
        ({"delta": 0}, "delta must be a positive number, got 0"),
        ({"delta": -1e-3}, "delta must be a positive number, got -0.001"),
        ({"delta": np.nan}, "delta must be a positive number, got nan"),
        ({"delta": np.inf}, "delta must be a positive number, got inf"),
        ({"delta": "a"}, "delta must be a positive number, got 'a'"),
        ({"delta": True}, "delta must be a positive number, got True"),
        ({"delta": None}, "delta must be a positive number, got None"),
    ]:
        with pytest.raises(ValueError, match=f"^who: {message}"):
            table(LAW, runs, **how)
    for how in ({"loss": "squared"}, {"space": "linear"}, {"delta": 1e-300}, {"delta": 1e300}):
        assert len(table(LAW, runs, **how)) == 3
    # and whatever the loss, also one that makes no use of it
    with pytest.raises(ValueError, match="delta"):
        table(LAW, runs, loss="squared", delta=0)


# weights ------------------------------------------------------------------------------------------


def test_weights_are_a_column_or_a_list(runs):
    w = np.arange(1.0, 13)
    column = table(LAW, runs.assign(w=w), weights="w")[2]
    assert column.tolist() == w.tolist()
    for same in (w, list(w), tuple(w), pd.Index(w), pd.array(w, dtype="Float64")):
        assert table(LAW, runs, weights=same)[2].tolist() == w.tolist()


def test_a_series_of_weights_goes_by_the_labels_of_the_runs(runs):
    w = pd.Series(np.arange(1.0, 13), index=runs.index)
    more = pd.concat([w, pd.Series([99.0], index=[5])])
    for same in (w, w[::-1], more.sample(frac=1, random_state=0)):
        assert table(LAW, runs, weights=same)[2].tolist() == w.tolist()
    # and so does a fit: heavy runs are the same in any order
    law, one = sk.Law("L(N) = A/N**alpha"), runs.assign(L=3 / runs["N"] ** 0.1 + 0.01 * w)
    forward, backward = (sk.fit(law, one, weights=v) for v in (w, w[::-1]))
    assert forward.params.tolist() == backward.params.tolist()
    # labels that repeat are fine where both indices are the same
    double = runs.set_index(runs.index // 2)
    same = w.set_axis(double.index)
    assert table(LAW, double, weights=same)[2].tolist() == w.tolist()


def test_a_series_of_weights_that_does_not_fit_the_runs(runs):
    w = pd.Series(np.arange(1.0, 13), index=runs.index)
    for index, message in [
        (range(12), r"have no value for 12 runs \(rows 100, 101, 102, 103, 104, \.\.\.\); give"),
        ([*range(100, 111), 7], r"no value for 1 run \(row 111\); give them the index of the runs"),
        ([100] * 12, r"labels repeat, so it is not known .* give weights\.to_numpy\(\)"),
    ]:
        with pytest.raises(ValueError, match=f"^who: .*{message}"):
            table(LAW, runs, weights=w.set_axis(index))
    with pytest.raises(ValueError, match="labels repeat"):
        # twelve unlike labels of the runs twice, and a counted series
        table(LAW, pd.concat([runs.reset_index()] * 2), weights=pd.Series(np.ones(24)))
    with pytest.raises(ValueError, match=r"1 missing or infinite value \(row 1\)"):
        table(LAW, runs, weights=w.where(w != 2))


def test_messages_about_weights(runs):
    one = np.ones(12)
    for weights, message in [
        ("w", "who: weights: no column 'w'"),
        ([1.0], r"for each of the 12 runs; got list of shape \(1,\)"),
        (np.ones((12, 1)), r"for each of the 12 runs; got ndarray of shape \(12, 1\)"),
        (1.0, r"a column's name or a list of numbers.* got float of shape \(\)"),
        (-one, r"column 'weights' has 12 values <= 0 \(rows 0, 1, 2, 3, 4, \.\.\.\)"),
        (np.r_[0.0, one[1:]], r"column 'weights' has 1 value <= 0 \(row 0\)"),
        (np.r_[one[1:], np.nan], r"1 missing or infinite value \(row 11\)"),
        (["a"] * 12, "column 'weights' has 12 values, not numbers"),
        ([True] * 12, "column 'weights' has 12 values, not numbers"),
        (one * 1j, "column 'weights' has 12 values, not numbers"),
        ([[1, 2]] * 11 + [[1]], r"has 12 values, not numbers, such as \[1, 2\]"),
        ([10**309, *one[1:]], r"1 value, not numbers, such as an integer beyond .* \(row 0\)"),
        (np.ma.array(one, mask=one.cumsum() == 3), r"1 missing or infinite value \(row 2\)"),
        (dict(enumerate(one)), r"got dict of shape \(\)"),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            table(LAW, runs, weights=weights)
        assert str(caught.value).startswith("who: weights")
    with pytest.raises(ValueError, match=r"column 'w' has 1 value <= 0 \(row 100\)"):
        table(LAW, runs.assign(w=np.arange(12.0)), weights="w")


# enough of it -------------------------------------------------------------------------------------


def enough(law, *x, y):
    """Say that runs are not refused."""
    given.refuse_too_little(law, [np.asarray(c, float) for c in x], np.asarray(y, float))
    return True


def test_one_run_more_than_parameters():
    x = np.arange(1.0, 5)
    assert enough(sk.Law(FLOOR), x, y=x)
    with pytest.raises(ValueError, match=r"^fit: 3 parameters need at least 4 runs, got 3\.$"):
        enough(sk.Law(FLOOR), x[:3], y=x[:3])
    with pytest.raises(ValueError, match="3 parameters need at least 4 runs, got 1"):
        enough(sk.Law(FLOOR), x[:1], y=x[:1])


def test_as_many_unlike_runs_as_parameters():
    law = sk.Law(FLOOR)
    assert enough(law, [1, 2, 3, 3, 3], y=[1, 2, 3, 3, 3])
    # unlike in one of two inputs
    assert enough(sk.Law("L(N, D) = E + A/N**alpha*D"), [1, 1, 2, 2], [3, 1, 2, 2], y=[1, 2, 3, 3])
    with pytest.raises(
        sk.FitError, match=r"^fit: 5 runs at only 2 different N cannot fix 3 parameters; add runs"
    ):
        # runs that differ in their output alone tell nothing more
        enough(law, [1, 2, 2, 2, 2], y=[1, 2, 3, 4, 5])


def test_an_input_must_vary():
    law, D = sk.Law(CHINCHILLA), np.geomspace(1, 9, 8)
    y = np.arange(1.0, 9)
    with pytest.raises(
        sk.FitError, match=r"fit: the input N is 1e\+09 in every run, so its effect"
    ):
        enough(law, np.full(8, 1e9), D, y=y)
    with pytest.raises(sk.FitError, match=r"the input D is 3 in every run.* a law without it"):
        enough(law, D, np.full(8, 3.0), y=y)
    # by 1e-12 of its size, whatever its sign
    one = np.arange(8) == 5
    for size in (1.0, -4.0):
        with pytest.raises(sk.FitError, match="in every run"):
            enough(LINE, size * (1 + 0.95e-12 * one), y=y)
        assert enough(LINE, size * (1 + 1.05e-12 * one), y=y)
    # exactly 1e-12 of it, or nothing at all
    for column in (np.where(one, 1e12 - 1, 1e12), np.zeros(8)):
        with pytest.raises(sk.FitError, match="in every run"):
            enough(LINE, column, y=y)


def near_line(off, slope=1.0, ratio=20.0):
    """Make N and D whose logarithms lie along a line but for this share of D."""
    a = np.linspace(-1, 1, 9) + 20
    # straight across: no mean, no slope
    across = np.array([1, -1, -1, 0, 2, 0, -1, -1, 1.0])
    along = a - a.mean()
    assert abs(across.sum()) < 1e-12 and abs(across @ along) < 1e-12
    across *= np.linalg.norm(along) / np.linalg.norm(across)
    b = slope * (np.sqrt(1 - off**2) * along + off * across)
    return np.exp(a), ratio * np.exp(b + a.mean())


def test_two_inputs_must_not_vary_together():
    y = np.arange(1.0, 10)
    # 1 - r^2 is the square of the share, 1e-6 at the edge; sums of nine logs round to 1e-16
    for off in (0, 1e-4, 0.999e-3):
        with pytest.raises(
            sk.FitError, match=r"^fit: N and D are collinear in logs \(D/N is 20 thr"
        ):
            enough(LAW, *near_line(off), y=y)
    for off in (1.001e-3, 0.1):
        assert enough(LAW, *near_line(off), y=y)
    # in any unit
    N, D = near_line(0)
    with pytest.raises(sk.FitError, match=r"\(D/N is 2e-05 throughout\)"):
        enough(LAW, N / 1e12, D / 1e18, y=y)
    # also where one falls as the other rises
    with pytest.raises(sk.FitError, match=r"\(D goes as N\*\*-1 throughout\)"):
        enough(LAW, *near_line(0, slope=-1), y=y)


@pytest.mark.parametrize(
    ("slope", "what"),
    [
        (0.5, r"D goes as N\*\*0\.5 "),
        (0.989, r"D goes as N\*\*0\.989 "),
        (0.991, "D/N is 7 "),
        (1.009, "D/N is 7 "),
        (1.011, r"D goes as N\*\*1\.01 "),
    ],
)
def test_how_they_vary_together(slope, what):
    with pytest.raises(sk.FitError, match=rf"\({what}throughout\).* a law in one input"):
        enough(LAW, *near_line(0, slope, ratio=7.0), y=np.arange(1.0, 10))


def test_only_two_positive_inputs_are_compared():
    y, (N, D) = np.arange(1.0, 10), near_line(0)
    assert enough(sk.Law("y(a, b, c) = p*a + q*b + r*c"), N, D, N[::-1], y=y)
    assert enough(sk.Law("y(a, b) = p*a + q*b"), N - N[0], D, y=y)
    assert enough(sk.Law("y(a, b) = p*a + q*b"), N, -D, y=y)
    assert enough(LINE, N, y=y)


# a start of one's own -----------------------------------------------------------------------------

GOOD = [1.8, 480.0, 0.35, 2100.0, 0.37]


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_a_start_and_fifteen_neighbours(kind):
    found = given.starts(LAW, kind(GOOD), 0)
    assert found.shape == (16, 5) and found[0].tolist() == GOOD
    share = found[1:] / GOOD
    # 75 numbers spread evenly in the logarithm between 1/2 and 2
    assert 0.5 <= share.min() < 0.55 and 1.8 < share.max() <= 2
    assert np.median(share) == pytest.approx(1, abs=0.25)
    assert len(np.unique(share)) == 75


def test_neighbours_follow_from_the_seed():
    a, b, c = (given.starts(LAW, GOOD, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert (a[1:] != c[1:]).all()


def test_a_start_by_name():
    named = dict(zip(LAW.params, GOOD, strict=True))
    backwards = dict(reversed(named.items()))
    for start in (named, backwards, pd.Series(named), pd.Series(backwards)):
        assert given.starts(LAW, start, 0)[0].tolist() == GOOD


def test_parameters_that_may_be_negative_start_anywhere():
    assert given.starts(LINE, {"a": 1, "b": -2}, 0)[0].tolist() == [1, -2]
    found = given.starts(LINE, [1, 0], 0)
    assert found[:, 1].tolist() == [0] * 16
    assert (given.starts(LINE, [1, -2], 0)[:, 1] < 0).all()


def test_messages_about_a_start():
    for start, message in [
        (
            [1, 2],
            r"start has 2 values, the law has 5 parameters \('E', 'A', 'alpha', 'B', 'beta'\)",
        ),
        ([GOOD], "start has 5 values, the law has 5"),
        (3.0, "start has 1 values"),
        ({"E": 1}, "start has no value for A, or none that is finite"),
        ({"Q": 1}, r"no parameter for start 'Q'\..* There are: E, A, alpha, B, beta"),
        ({**dict.fromkeys(LAW.params, 1.0), "Q": 1}, "no parameter for start 'Q'"),
        (
            [1, 1, -1, 1, 1],
            r"start of 'alpha' is -1, but alpha is positive.* Law\(real=\['alpha'\]\)",
        ),
        ([1, 1, 1, 1, 0], "start of 'beta' is 0, but beta is positive"),
        ([1, 1, np.inf, 1, 1], "start has no value for alpha"),
        ([1, 1, 1, np.nan, 1], "start has no value for B"),
        ("abc", "start must be a list of numbers, or a mapping of .*; got str "),
        (["1.8"] * 5, r"start must be a list of numbers.* \('1\.8' is no number\)"),
        ([True] * 5, r"start must be a list of numbers.* \(True is no number\)"),
        (np.full(5, 1j), "start must be a list of numbers.* is no number"),
        ([10**309, 1, 1, 1, 1], "start must be a list of numbers.*an integer beyond"),
        (np.ma.array(GOOD, mask=[0, 0, 0, 1, 0]), "start has no value for B"),
        ([1, 2, 3, 4, [5]], "start must be a list of numbers.* got list "),
        ([1, 2, 3, 4, None], "start has no value for beta"),
        ([1, 2, 3, 4, object()], "start must be a list of numbers.* got list "),
    ]:
        with pytest.raises(ValueError, match="^fit: " + message):
            given.starts(LAW, start, 0)


# as a fit passes it on ----------------------------------------------------------------------------


def test_a_fit_and_an_objective_check_what_they_are_given(runs):
    with pytest.raises(ValueError, match="fit: no loss 'hubber'"):
        sk.fit(LAW, runs, loss="hubber")
    with pytest.raises(ValueError, match="objective: no space 'logs'"):
        sk.objective(LAW, runs, dict(zip(LAW.params, GOOD, strict=True)), space="logs")
    with pytest.raises(ValueError, match="fit: 5 parameters need at least 6 runs, got 4"):
        sk.fit(LAW, runs.iloc[:4])
    with pytest.raises(ValueError, match="fit: start has 2 values"):
        sk.fit(LAW, runs, start=[1, 2])
