"""What all models have in common."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen object of the settings. A key that is not one of its fields is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
