"""The command stand-in runs real programs on this machine."""

from typing import Any

import pytest
from pulumi.provider.experimental.provider import PropertyDiffKind

from lab.plugins.command.local import Command
from lab.plugins.serve import ProviderError

INPUTS: dict[str, Any] = {"addPreviousOutputInEnv": False}


def test_create_stores_the_output_without_the_last_newline() -> None:
    _, state = Command().create({**INPUTS, "create": "echo out; echo; echo err >&2"}, "name")

    assert (state["stdout"], state["stderr"]) == ("out\n", "err")


def test_the_interpreter_gets_the_script_as_its_last_argument() -> None:
    _, state = Command().create({**INPUTS, "interpreter": ["printf", "<%s>", "a"], "create": "b c"}, "name")

    assert state["stdout"] == "<a><b c>"


def test_standard_input_reaches_the_command() -> None:
    _, state = Command().create({**INPUTS, "create": "tr a-z A-Z", "stdin": "secret"}, "name")

    assert state["stdout"] == "SECRET"


def test_a_failure_shows_status_command_and_output() -> None:
    with pytest.raises(ProviderError) as raised:
        Command().create({**INPUTS, "create": "echo before; echo why >&2; exit 3"}, "name")

    assert str(raised.value).startswith('exit status 3: running "echo before; echo why >&2; exit 3":\n')
    assert "before\nwhy\n" in str(raised.value)


def test_without_update_a_change_runs_create_again() -> None:
    assert Command().update("id", {**INPUTS, "create": "echo created"}, {}, ())["stdout"] == "created"
    assert (
        Command().update("id", {**INPUTS, "create": "echo no", "update": "echo updated"}, {}, ())["stdout"] == "updated"
    )


def test_without_a_command_nothing_runs_and_the_output_is_kept() -> None:
    _, state = Command().create({**INPUTS, "interpreter": ["false"], "delete": "x"}, "name")

    assert (state["stdout"], state["stderr"]) == ("", "")
    assert Command().update("id", {**INPUTS, "delete": "y"}, {"stdout": "old"}, ())["stdout"] == "old"


def test_delete_runs_the_stored_command() -> None:
    with pytest.raises(ProviderError, match="exit status 7"):
        Command().delete("id", {**INPUTS, "delete": "exit 7"})


def test_earlier_output_is_passed_on_only_on_request() -> None:
    before = {"stdout": "old"}
    script = {"create": 'echo "<$PULUMI_COMMAND_STDOUT>"'}

    assert Command().update("id", {**INPUTS, **script}, before, ())["stdout"] == "<>"
    assert Command().update("id", {**INPUTS, **script, "addPreviousOutputInEnv": True}, before, ())["stdout"] == "<old>"


@pytest.mark.parametrize(
    ("change", "kind"), [("triggers", PropertyDiffKind.UPDATE_REPLACE), ("create", PropertyDiffKind.UPDATE)]
)
def test_changed_triggers_replace_and_a_changed_script_updates(change: str, kind: PropertyDiffKind) -> None:
    before = {**INPUTS, "triggers": ["a"], "create": "a", "stdout": "", "stderr": ""}
    after = {**INPUTS, "triggers": ["a"], "create": "a", change: ["b"]}

    assert Command().differences(before, after, ()) == {change: kind}


def test_an_unknown_kind_of_logging_is_refused() -> None:
    with pytest.raises(ValueError, match='logging is "all": use one of stdout'):
        Command().check({"logging": "all"})
