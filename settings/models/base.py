"""What all models have in common."""

import re

from pydantic import AfterValidator, BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen object of the settings. A key that is not one of its fields is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def matching(pattern: str, form: str) -> AfterValidator:
    """Return a validator that refuses a text unless all of it matches the pattern. The error says `must be FORM`."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {form}")
        return text

    return AfterValidator(check)
