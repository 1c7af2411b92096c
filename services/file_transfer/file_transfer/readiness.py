"""Whether a replica can serve files and takes more requests."""

from collections.abc import Callable
from dataclasses import dataclass

from file_transfer.errors import DrainingError


@dataclass(frozen=True)
class Readiness:
    """What readiness depends on.

    `check_readable` raises StorageUnavailableError if files cannot be downloaded, and must not wait for anything.
    `is_draining` says whether this replica is shutting down.
    """

    check_readable: Callable[[], None]
    is_draining: Callable[[], bool]

    def check(self) -> None:
        """Check that the replica is ready.

        Raises:
            DrainingError: it is shutting down.
            StorageUnavailableError: files cannot be downloaded.
        """
        if self.is_draining():
            raise DrainingError("this replica is shutting down")
        self.check_readable()


ALWAYS_READY = Readiness(check_readable=lambda: None, is_draining=lambda: False)
