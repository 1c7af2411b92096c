"""What all models have in common."""

import re

from pydantic import AfterValidator, BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen object of the settings. A key that is not one of its fields is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def written(pattern: str, form: str) -> AfterValidator:
    """Return a validator for a text that the whole pattern must match. `form` tells the user how it is written."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {form}")
        return text

    return AfterValidator(check)
