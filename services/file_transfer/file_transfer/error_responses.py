"""The response to each error: its HTTP status, its text, and the kind under which metrics count it."""

from dataclasses import dataclass

from bottle import HTTPResponse, request

from file_transfer import errors, responses
from file_transfer.catalogue import UnknownFileError
from file_transfer.chunks import MissingChunkError, StorageFullError, StorageUnavailableError
from file_transfer.index.contents import LeaseLostError
from file_transfer.names import NameRefusedError
from file_transfer.uploads import UnknownUploadError


@dataclass(frozen=True)
class _Answer:
    """The status and the kind of an error. A `text` replaces the error's own, which goes to the log if `is_logged`."""

    status: int
    kind: str
    text: str = ""
    is_logged: bool = False


_ANSWERS: dict[type[Exception], _Answer] = {
    errors.InvalidRequestError: _Answer(400, "bad_request"),
    NameRefusedError: _Answer(400, "name"),
    errors.CutShortError: _Answer(400, "cut_short"),
    errors.SmallPartsError: _Answer(400, "small_parts"),
    errors.NoTokenError: _Answer(401, "no_token"),
    errors.WrongTokenError: _Answer(401, "wrong_token"),
    errors.ExpiredTokenError: _Answer(401, "expired_token"),
    errors.ForbiddenError: _Answer(403, "forbidden"),
    errors.ForeignPageError: _Answer(403, "foreign_page"),
    UnknownFileError: _Answer(404, "unknown_file"),
    UnknownUploadError: _Answer(404, "unknown_upload"),
    errors.UnsupportedMethodError: _Answer(405, "method_not_allowed"),
    errors.TooSlowError: _Answer(408, "too_slow"),
    errors.ConflictError: _Answer(409, "conflict"),
    errors.PreconditionError: _Answer(412, "precondition_failed"),
    errors.TooLargeError: _Answer(413, "too_large"),
    errors.UnsupportedTypeError: _Answer(415, "unsupported_media_type"),
    errors.ForeignHostError: _Answer(421, "foreign_host"),
    errors.DigestError: _Answer(422, "digest"),
    errors.ChecksumError: _Answer(460, "digest"),
    MissingChunkError: _Answer(500, "missing", "the content of the file is missing in the storage", is_logged=True),
    errors.BusyError: _Answer(503, "busy"),
    errors.DrainingError: _Answer(503, "draining"),
    errors.HeldError: _Answer(503, "held"),
    LeaseLostError: _Answer(503, "lease"),
    StorageUnavailableError: _Answer(
        503, "storage", "the storage is not available: try again in a moment", is_logged=True
    ),
    errors.NoRoomError: _Answer(507, "no_room"),
    errors.QuotaError: _Answer(507, "quota"),
    errors.TokenQuotaError: _Answer(507, "token_quota"),
    StorageFullError: _Answer(507, "no_room", "there is no space left for the file"),
}

EXPECTED = tuple(_ANSWERS)
"""The errors that have a response. Any other is a fault of the service."""


def response(error: Exception) -> HTTPResponse:
    """Return the response to one of the `EXPECTED` errors, and count it."""
    answer = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    if answer.is_logged:
        request.environ["wsgi.errors"].write(f"storage: {error}\n")
    return responses.error(answer.status, answer.text or str(error), answer.kind)
