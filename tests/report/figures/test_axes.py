import matplotlib.pyplot as plt

from mer import plot
from mer.report.figures.axes import new_axes


def test_new_axes_are_made_by_default(field):
    plt.switch_backend("Agg")
    drawn = plot.plot_field(field)
    assert drawn.figure is plt.gcf()
    plt.close("all")


def test_given_axes_are_returned(ax):
    assert new_axes(ax) is ax
