"""Durations in the form in which the Docker provider reads them back."""


def go_duration(seconds: int) -> str:
    """Return whole seconds as Go's shortest duration: 45 is "45s", 60 "1m", 610 "10m10s", 3605 "1h0m5s".

    The provider reads every duration back in this form, so any other form would show up as a change in every preview.
    """
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    # The provider drops zeros at the end and keeps zeros in the middle.
    if text.endswith("m0s"):
        text = text.removesuffix("0s")
    return text.removesuffix("0m") if text.endswith("h0m") else text
