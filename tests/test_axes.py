"""What all figures share: scales, ticks, labels, colours, solid and dashed."""

import importlib

import matplotlib.pyplot as plt
import numpy as np
import pytest

import scalekit as sk
from scalekit.pictures import axes

plot = sk.plot


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def ticks(ax, which):
    ax.figure.canvas.draw()
    return [t.get_text() for t in getattr(ax, f"get_{which}ticklabels")() if t.get_text()]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10e6, "10M"),
        (1e9, "1B"),
        (1.4e12, "1.4T"),
        (350, "350"),
        (1234, "1.23k"),
        (999.9e6, "1B"),
        (2.5, "2.5"),
        (0, "0"),
        (6e18, "6e18"),
        (1e-5, "1e-5"),
    ],
)
def test_human(value, text):
    assert plot.human(value) == text


def test_axis():
    ax = plt.subplots()[1]
    plot.axis(ax, "x", "N")
    plot.axis(ax, "y", "L")
    ax.set(xlim=(5e6, 2e12), ylim=(1.9, 3.6))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Parameters N", "Loss L (nats/token)")
    assert {"10M", "1B", "1T"} <= set(ticks(ax, "x"))
    assert {"2", "2.5", "3"} <= set(ticks(ax, "y"))
    plot.axis(ax, "x", "gap", [-1, 2])
    assert ax.get_xlabel() == "gap"
    with pytest.raises(ValueError, match="which = 'z'"):
        plot.axis(ax, "z", "N")


def test_a_logarithmic_axis_is_left_where_values_are_not_positive():
    ax = plt.subplots()[1]
    plot.axis(ax, "x", "D", [1.0, 2.0])
    plot.axis(ax, "y", "D", [0.0, 2.0])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")


def test_compute_is_in_powers_of_ten():
    ax = plt.subplots()[1]
    plot.axis(ax, "x", "C")
    ax.set_xlim(1e18, 1e22)
    assert any("10^{20}" in text for text in ticks(ax, "x"))


@pytest.mark.parametrize("span", [(5e6, 2e12), (1.9, 3.6), (2.05, 2.15), (1e3, 1e19)])
def test_ticks_are_few_and_inside(span):
    ax = plt.subplots()[1]
    plot.axis(ax, "y", "N")
    ax.set_ylim(*span)
    shown = [t for t in ax.get_yticks() if span[0] <= t <= span[1]]
    assert 3 <= len(shown) <= 8


def test_importing_changes_no_settings():
    before = plt.rcParams.copy()
    importlib.reload(axes)
    assert before == plt.rcParams


def test_a_curve_is_solid_inside_its_range_and_dashed_outside():
    ax = plt.subplots()[1]
    x = np.array([1.0, 2, 3, 4, 5, 6])
    axes.solid_inside(ax, x, x**2, (3.0, 4.0), "here", color="k")
    parts = [(line.get_linestyle() == "-", line.get_xydata().tolist()) for line in ax.lines]
    dashed = [part for solid, part in parts if not solid]
    assert dashed == [[[1, 1], [2, 4], [3, 9]], [[4, 16], [5, 25], [6, 36]]]
    assert [part for solid, part in parts if solid] == [[[3, 9], [4, 16]]]
    assert [line.get_label() for line in ax.lines if line.get_linestyle() == "-"] == ["here"]


def test_colours_follow_logs_where_they_can():
    # the scale goes on a tenth beyond the highest value, so half-way is 1 of 2.2
    assert axes.gradient([1e6, 1e8]).norm(1e7) == pytest.approx(1 / 2.2)
    assert axes.gradient([-1.0, 1.0]).norm(0.0) == pytest.approx(1 / 2.2)


def test_the_parts_of_a_curve_meet_where_no_point_was_computed():
    ax = plt.subplots()[1]
    x = np.array([1.0, 10, 100, 1000])
    # on a power law a straight line in logs is exact
    axes.solid_inside(ax, x, x**2, (3.0, 40.0), "here")
    parts = [line.get_xydata() for line in ax.lines]
    np.testing.assert_allclose(parts[0], [[1, 1], [3, 9]])
    np.testing.assert_allclose(parts[1], [[40, 1600], [100, 1e4], [1000, 1e6]])
    np.testing.assert_allclose(parts[2], [[3, 9], [10, 100], [40, 1600]])
    # where there is no logarithm, straight as it is; a range that is nowhere on the curve adds none
    ax = plt.subplots()[1]
    axes.solid_inside(ax, np.array([-1.0, 1, 2]), np.array([0.0, 2, 3]), (0.0, 9.0), "here")
    assert [line.get_xydata().tolist() for line in ax.lines] == [
        [[-1, 0], [0, 1]],
        [[0, 1], [1, 2], [2, 3]],
    ]


def test_many_numbers_get_six_bins_with_round_edges():
    values = np.geomspace(5.7e7, 1.6e10, 40)
    colours = axes.gradient(values)
    edges = colours.norm.boundaries
    assert edges[0] <= values[0] and edges[-1] >= values[-1]
    assert all(float(f"{edge:.0e}") == edge for edge in edges)
    # (40, 4)
    assert len(np.unique(colours.to_rgba(values), axis=0)) == len(edges) - 1 == 6
    assert axes.gradient(np.linspace(-1, 1, 20)).norm.boundaries[0] <= -1


@pytest.mark.parametrize(("low", "high"), [(2.0, 3.0), (1e6, 1e6 * 1.2), (3e-4, 9e9), (1, 2)])
def test_edges_cover_any_range(low, high):
    edges = axes.gradient(np.geomspace(low, high, 30)).norm.boundaries
    assert edges[0] <= low and edges[-1] >= high and np.all(np.diff(edges) > 0)
    assert len(edges) >= 4


def test_lines_are_labelled_at_their_right_ends():
    ax = plt.subplots()[1]
    for height in (1.0, 1.001, 2.0):
        ax.plot([1, 2], [1, height], label=f"to {height}", color="C0")
    # its dashed part reaches further
    ax.plot([1, 2], [3, 3], label="level", color=np.array([1.0, 0.0, 0.0]))
    ax.plot([2, 3], [3, 3], "--", color=(1, 0, 0))
    ax.legend()
    plot.label_lines(ax)
    assert ax.get_legend() is None
    texts = {text.get_text(): text for text in ax.texts}
    assert set(texts) == {"to 1.0", "to 1.001", "to 2.0", "level"}
    assert texts["level"].xy == pytest.approx((3, 3))
    ups = [texts[name].xyann[1] for name in ("to 1.0", "to 1.001", "to 2.0")]
    assert ups[0] == 0 and ups[1] > 9 and ups[2] == 0
