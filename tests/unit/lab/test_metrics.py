"""The lab waits for the metrics, and longer on slow hosts."""

from pathlib import Path

import pytest

from lab import configuration, metrics
from lab.packages import LabError
from lab.paths import Lab


@pytest.mark.parametrize(("settings", "seconds"), [({}, 120), ({"patience": 3}, 360)], ids=["usual", "slow"])
def test_metrics_that_do_not_arrive_are_reported_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], seconds: int
) -> None:
    lab = Lab(name="demo", checkout=tmp_path)
    configuration.write(lab, {}, settings)
    now = [0.0]

    def sleep(pause: float) -> None:
        now[0] += pause

    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(metrics.time, "sleep", sleep)
    monkeypatch.setattr(metrics, "table", lambda _: "slave cpu missing")

    with pytest.raises(LabError, match=f"within {seconds} s:\nslave cpu missing"):
        metrics.wait_for_all(lab)
    assert now[0] == pytest.approx(seconds, abs=1)
