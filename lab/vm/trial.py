"""`make test-vm`: start virtual machines, deploy the whole cluster to them, test it, and leave nothing running."""

from lab import demo, engine, lifecycle
from lab.paths import Lab
from lab.progress import step

_TESTS = "tests/vm"


def run(lab: Lab) -> bool:
    """Run the tests on new machines, remove these, and return whether all passed. The logs stay in `lab.logs_dir`."""
    try:
        return demo.test(lab, "--capture=no", _TESTS)
    finally:
        with engine.exclusive(lab), step("removing the virtual machines"):
            lifecycle.of(lab).remove()
