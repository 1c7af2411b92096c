"""`make report`: the page and its picture."""

from pathlib import Path

import pytest
from fake_influxdb import NOW, measured
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitoring import report
from monitoring.influxdb_client import Read, Series

TITLES = [
    f"{kind}: {metric}" for metric in ("CPU", "Memory", "Network in", "Network out") for kind in ("VMs", "Containers")
]


def recorded(patch: pytest.MonkeyPatch) -> list[Axes]:
    """Return the panels of each figure that is drawn from now on, once it is saved."""
    drawn: list[Axes] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **options: object) -> None:
        drawn.extend(figure.axes)
        save(figure, *args, **options)

    patch.setattr(Figure, "savefig", keep)
    return drawn


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    return recorded(monkeypatch)


@pytest.fixture(scope="module")
def measured_panels() -> list[Axes]:
    """The panels of what is measured, drawn once: it takes about a second."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = recorded(patch)
        report.draw(measured, minutes=30, now=NOW)
    return drawn


def test_the_eight_panels_have_a_line_for_each_host_and_each_task(measured_panels: list[Axes]) -> None:
    assert [axes.get_title(loc="left") for axes in measured_panels] == TITLES
    for axes in measured_panels:
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        hosts = axes.get_title(loc="left").startswith("VMs")
        assert names == (["master", "slave"] if hosts else ["files.1 on master", "files.2 on master"])


def test_a_task_has_the_same_style_in_all_panels(measured_panels: list[Axes]) -> None:
    for kind in ("VMs", "Containers"):
        of_kind = [axes for axes in measured_panels if axes.get_title(loc="left").startswith(kind)]
        looks = [
            {line.get_label(): (line.get_color(), line.get_linestyle()) for line in a.get_lines()} for a in of_kind
        ]
        assert all(look == looks[0] for look in looks)


def test_the_legend_says_how_many_lines_are_left_out(panels: list[Axes]) -> None:
    def read(_: str, text: str) -> list[Series]:
        name = text.split('"')[3]
        return [Series(name, {"node": f"n{i}"}, ("time", "mean"), ((NOW - 60, i),)) for i in range(40)]

    report.draw(read, minutes=30, now=NOW)

    drawn = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert "n39" in drawn
    assert "n9" not in drawn
    assert drawn[-1] == "and 20 lower lines"


@pytest.mark.parametrize(("highest", "last"), [(200 * 1024, 200 * 1024), (3.4 * 2**20, 3 * 2**20), (0.4, 0.4)])
def test_ticks_of_bytes_are_round_numbers(highest: float, last: float) -> None:
    assert report._binary_ticks(highest)[-1] == pytest.approx(last)


def test_axes_use_the_metric_s_unit(measured_panels: list[Axes]) -> None:
    formats = {axes.get_title(loc="left"): axes.yaxis.get_major_formatter()(0.5) for axes in measured_panels}
    assert formats["VMs: CPU"] == "50.0 %"
    assert formats["Containers: CPU"] == "0.500 CPU"
    assert formats["VMs: Network in"].endswith("B/s")


def test_a_panel_without_data_has_a_note(empty: Read, panels: list[Axes]) -> None:
    report.draw(empty, minutes=30, now=NOW)

    assert len(panels) == 8
    assert all(axes.texts[0].get_text() == "no data in this period" for axes in panels)


def test_missing_values_make_a_gap_in_the_line() -> None:
    rows = report._with_gaps([(0, 1.0), (15, 2.0), (400, 3.0)])

    assert [at for at, _ in rows] == [0, 15, 400, 400]
    assert rows[2][1] != rows[2][1], "NaN, for which matplotlib draws nothing"


def test_the_page_contains_its_picture_which_is_also_saved_next_to_it(read: Read, tmp_path: Path) -> None:
    report.write(read, tmp_path / "report.html", minutes=30, now=NOW)

    page = (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert 'src="data:image/png;base64,iVBOR' in page
    assert "http" not in page
