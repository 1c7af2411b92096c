"""Durations as the Docker provider writes them."""


def go_duration(seconds: int) -> str:
    """Write whole seconds in the shortest form that Go reads: 45 is "45s", 60 "1m", 610 "10m10s", 3605 "1h0m5s".

    The provider reads every duration back in this form. One that is written otherwise would be a change at every
    preview.
    """
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    # As the provider does it: a zero at the end goes, one in the middle stays.
    if text.endswith("m0s"):
        text = text.removesuffix("0s")
    return text.removesuffix("0m") if text.endswith("h0m") else text
