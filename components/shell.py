"""Turns a script in the folder `scripts` into the text that runs on a host, and reads such a text back."""

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"


def render(*scripts: str, arguments: Sequence[str] = (), folder: Path = FOLDER, **variables: str | int) -> str:
    """Return the scripts of these names, one after the other, with their variables and arguments.

    The scripts read them as "$NAME" and "$@". Nothing else is put into their text, so every script is a file that
    shellcheck can check.
    """
    assignments = [f"{name}={shlex.quote(str(value))}" for name, value in variables.items()]
    words = [shlex.join(["set", "--", *arguments])] if arguments else []
    texts = [(folder / f"{script}.sh").read_text().rstrip("\n") for script in scripts]
    return "\n".join([*assignments, *words, *texts, ""])


def variables_and_arguments(text: str) -> tuple[dict[str, str], list[str]]:
    """Return what `render` was given for this text, which it made."""
    words = shlex.shlex(text, posix=True)
    words.whitespace_split, words.commenters = True, ""
    # Every script begins with a comment for shellcheck.
    given = list(itertools.takewhile(lambda word: word != "#", words))
    end = given.index("set") if "set" in given else len(given)
    variables = dict(word.split("=", 1) for word in given[:end] if "=" in word)
    return variables, given[end + 2 :]
