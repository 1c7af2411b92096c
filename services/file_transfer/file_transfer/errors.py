"""Why requests are refused. The text of each error is one line for the user: what is wrong, and the remedy.

`error_responses.py` says which HTTP status each error has, and the kind under which metrics count it.
"""


class RefusedError(Exception):
    """A request is refused, for the reason in one of the classes below."""


class InvalidRequestError(RefusedError):
    """A part of the request is malformed or contradicts another one: a header, a field, the query or the form."""


class UnsupportedTypeError(RefusedError):
    """The body has a type that the route does not take."""


class UnsupportedMethodError(RefusedError):
    """The route does not have the method."""


class NoTokenError(RefusedError):
    """The request needs a token and has none."""


class WrongTokenError(RefusedError):
    """The token of the request is not in the settings."""


class ExpiredTokenError(RefusedError):
    """The token of the request was valid until a day that is over."""


class ForbiddenError(RefusedError):
    """The token is valid, but not for this scope or this name."""


class ForeignHostError(RefusedError):
    """The request is for a name that is not the service's."""


class ForeignPageError(RefusedError):
    """A browser has sent the request for the page of another site."""


class PreconditionError(RefusedError):
    """The file is not what the client expects it to be."""


class DigestError(RefusedError):
    """The content of a whole file does not have the SHA-256 that the client declared."""


class ChecksumError(RefusedError):
    """The bytes of one request of a resumable upload do not have the checksum that the client declared."""


class CutShortError(RefusedError):
    """The client disconnected, or sent fewer bytes than it had declared. What has been read is what it sent."""


class TooSlowError(CutShortError):
    """The client sent too slowly. What has been read is what it sent."""


class ConflictError(RefusedError):
    """The upload is not where the request expects it to be, or another request is changing it."""


class SmallPartsError(RefusedError):
    """An upload arrives in too many parts that are too small."""


class TooLargeError(RefusedError):
    """There are more bytes than are allowed or declared."""


class BusyError(RefusedError):
    """As many transfers are running as this process can serve."""


class DrainingError(RefusedError):
    """This replica is shutting down."""


class HeldError(RefusedError):
    """Others hold all downloads that are left of the file."""


class NoRoomError(RefusedError):
    """The store has no space left."""


class QuotaError(RefusedError):
    """All files together would have more bytes than they may."""


class TokenQuotaError(QuotaError):
    """What is stored with the token would have more bytes than it may."""
