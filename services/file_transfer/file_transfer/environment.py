"""Settings as environment variables with a common prefix."""

from collections.abc import Mapping
from pathlib import Path


class SettingsError(ValueError):
    """A variable is missing or has an invalid value. The message names the variable and says which values are valid."""


class Environment:
    """The variables whose names begin with a prefix. All methods take names without it."""

    def __init__(self, prefix: str, variables: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._variables = variables

    def error(self, name: str, problem: str) -> SettingsError:
        """Return the error of a variable: its name, and what is wrong with it."""
        return SettingsError(f"{self._prefix}{name} {problem}")

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a variable that may be missing."""
        return self._variables.get(self._prefix + name, default)

    def required(self, name: str, remedy: str, default: str = "") -> str:
        """Return the value of a variable.

        Raises:
            SettingsError: it is missing or empty; with the remedy.
        """
        value = self.text(name, default)
        if not value:
            raise self.error(name, f"is missing: {remedy}")
        return value

    def number(self, name: str, default: int, *, minimum: int = 1, maximum: int | None = None) -> int:
        """Return a whole number.

        Raises:
            SettingsError: it is not one, or is too small or too large.
        """
        text = self.text(name, str(default))
        if not text.isdecimal() or int(text) < minimum or (maximum is not None and int(text) > maximum):
            allowed = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
            raise self.error(name, f'is "{text}": set it to a whole number, {allowed}')
        return int(text)

    def file_content(self, name: str, content: str, remedy: str) -> str:
        """Return the text in the file that a variable names, without white space around it.

        `content` says what should be in the file, and `remedy` what to do if the variable is missing.

        Raises:
            SettingsError: the variable is missing, or the file cannot be read.
        """
        path = self.required(name, remedy)
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise self.error(name, f'is "{path}": {error.strerror}; name a file with {content}') from None

    def parts(self, name: str) -> list[str]:
        """Return the parts of a comma-separated list. Empty ones are left out."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]
