"""Makes the screenshots of the web page in docs/, with the fonts of this machine.

PYTHONPATH=services/file_transfer .venv/bin/python tests/service/screenshots.py
"""

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from browsing import chromium
from playwright.sync_api import BrowserContext, Page
from running import serving

from lab import packages

DOCS = Path(__file__).parent.parent.parent / "docs"
FILES = {
    "Annual report 2026.pdf": 4_812_033,
    "Grüße aus Köln.jpg": 2_330_412,
    "measurements-2026-11.csv": 918_044,
    "site-backup.tar.zst": 38_270_115,
}
UPLOAD_SIZE = 48_000_000
BYTES_PER_SECOND = 6_500_000
SCREENSHOTS: dict[str, dict[str, Any]] = {
    "page-light.png": {"color_scheme": "light", "viewport": {"width": 1000, "height": 940}},
    "page-dark-phone.png": {
        "color_scheme": "dark",
        "viewport": {"width": 360, "height": 900},
        "device_scale_factor": 1.5,
        "is_mobile": True,
        "has_touch": True,
    },
}


def main() -> None:
    """Write both screenshots."""
    program = packages.program("chromium-headless-shell")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server, chromium(program) as browser:
        url = server.url
        for name, size in FILES.items():
            requests.put(f"{url}/files/{quote(name)}", name.encode() * (size // len(name)), timeout=10)
        file = Path(folder) / "conference-recording.mp4"
        with file.open("wb") as content:
            content.truncate(UPLOAD_SIZE)
        for screenshot, options in SCREENSHOTS.items():
            draw(browser.new_context(**options), url, file, screenshot)


def draw(context: BrowserContext, url: str, file: Path, screenshot: str) -> None:
    """Make a screenshot of the page with one upload that is half done."""
    page = context.new_page()
    page.goto(url)
    slow_down(page)
    page.locator("#picker").set_input_files(file)
    page.wait_for_function("() => document.querySelector('progress')?.value > 0.55")
    page.screenshot(path=DOCS / screenshot)
    page.get_by_role("button", name="Cancel").click()
    context.close()


def slow_down(page: Page) -> None:
    """Limit the upload speed to that of an internet connection."""
    speed = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": BYTES_PER_SECOND}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", speed)


if __name__ == "__main__":
    main()
