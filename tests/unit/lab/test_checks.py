"""The verdict of `make test`: every stage runs, and one that fails is seen."""

import pytest

from lab.checks import Stage, run


def test_all_stages_run_also_after_one_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    ran = []

    def stage(name: str, *, passes: bool) -> Stage:
        return Stage(name, lambda: ran.append(name) is None and passes)

    assert run([stage("a", passes=True), stage("b", passes=False), stage("c", passes=True)]) is False
    assert ran == ["a", "b", "c"]
    assert capsys.readouterr().out.endswith("== verdict: FAILED\n")


def test_the_verdict_is_good_when_all_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([Stage("a", lambda: True)]) is True
    assert capsys.readouterr().out.endswith("== verdict: all passed\n")
