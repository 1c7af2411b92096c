"""Every reason to refuse a request has a response of its own."""

from file_transfer import error_responses
from file_transfer.errors import RefusedError


def below(kind: type[Exception]) -> set[type[Exception]]:
    return {found for direct in kind.__subclasses__() for found in (direct, *below(direct))}


def test_every_reason_to_refuse_a_request_has_a_response() -> None:
    assert below(RefusedError) <= set(error_responses.EXPECTED)
