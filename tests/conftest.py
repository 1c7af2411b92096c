"""What all kinds of tests share."""

from collections.abc import Callable

import pytest

from lab import packages
from lab.packages import LabError


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a program; a test whose program is missing fails, in one line that names its package."""

    def path(name: str) -> str:
        try:
            return packages.program(name)
        except LabError as error:
            missing = str(error)
        pytest.fail(missing, pytrace=False)

    return path
