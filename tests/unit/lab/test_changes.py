"""The sentence at the end of `make preview` and `make up`."""

import json

import pytest

from lab import changes


@pytest.fixture
def event_log(tmp_path):
    def written(*events):
        path = tmp_path / "events"
        path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
        return path

    return written


def test_counts_are_read_from_the_summary(event_log):
    path = event_log(
        {"sequence": 0, "preludeEvent": {"config": {}}},
        {"sequence": 1, "summaryEvent": {"resourceChanges": {"same": 60, "update": 1}}},
        {"sequence": 2, "cancelEvent": {}},
    )

    assert changes.count(path) == {"same": 60, "update": 1}


def test_a_stack_without_resources_has_no_counts(event_log):
    assert changes.count(event_log({"summaryEvent": {"resourceChanges": None}})) == {}


def test_a_log_without_a_summary_is_refused(event_log):
    with pytest.raises(ValueError, match="has no summary"):
        changes.count(event_log({"sequence": 0, "cancelEvent": {}}))


@pytest.mark.parametrize(
    ("counts", "planned", "done"),
    [
        (
            {"same": 61},
            "`make up` would change nothing: all 61 resources match the settings.",
            "The cluster is up. Nothing had to change: all 61 resources match the settings.",
        ),
        (
            {"same": 60, "update": 1},
            "`make up` would make 1 change (update 1); 60 resources would stay as they are.",
            "The cluster is up, after 1 change (update 1); 60 resources stayed as they were.",
        ),
        (
            {"same": 50, "update": 2, "replace": 1, "create": 3, "read": 4, "delete": 0},
            "`make up` would make 6 changes (create 3, replace 1, update 2); 50 resources would stay as they are.",
            "The cluster is up, after 6 changes (create 3, replace 1, update 2); 50 resources stayed as they were.",
        ),
    ],
)
def test_the_sentence_counts_the_changes_by_operation(counts, planned, done):
    assert changes.planned(counts) == planned
    assert changes.done(counts) == done
