"""The web page, used in a real browser."""

import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from browsing import chromium
from flaky_proxy import FlakyProxy, flaky_proxy
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect
from running import Server, serving, wait_until
from token_files import tokens_file

from file_transfer import web_page

MIB = 2**20
OWNER = "owner-owner-owner-owner"
GUEST = "guest-guest-guest-guest"
HOSTILE = """<img src=x onerror="document.title='owned'">'"`$(id)` ü%41 #?&.txt"""


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    with chromium(program("chromium-headless-shell")) as running:
        yield running


PERMISSIONS = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile for many tests, since its first page takes longer than most of them."""
    context = browser.new_context(permissions=PERMISSIONS)
    yield context
    context.close()


@dataclass(frozen=True)
class Site:
    """A service behind a flaky proxy. `complaints` are the errors that its pages have logged."""

    proxy: FlakyProxy
    profile: BrowserContext
    closing: ExitStack
    complaints: list[str]

    @property
    def browser(self) -> Browser:
        found = self.profile.browser
        assert found
        return found

    def open(self) -> Page:
        """Open the page. The profile stores nothing of it yet, since the proxy's address is a new one."""
        page = self.profile.new_page()
        self.closing.callback(page.close)
        return self._loaded(page)

    def open_alone(self, **options: Any) -> Page:
        """Open the page in a profile of its own, for a test that changes the clock, the network or the display."""
        context = self.browser.new_context(permissions=PERMISSIONS, **options)
        self.closing.callback(context.close)
        return self._loaded(context.new_page())

    def _loaded(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: "Security Policy" in message.text and self.complaints.append(message.text))
        page.goto(self.proxy.url)
        return page

    def store(self, name: str, content: bytes) -> None:
        requests.put(f"{self.proxy.url}/files/{quote(name, safe='')}", content, timeout=10).raise_for_status()

    def stored(self) -> dict[str, str]:
        """Return the SHA-256 of each file."""
        listed = requests.get(f"{self.proxy.url}/files", timeout=10).json()
        return {file["name"]: file["sha256"] for file in listed}

    def received(self, page: Page) -> int:
        """Return how many bytes the service has recorded of the page's only upload."""
        (path,) = page.evaluate("Object.values(localStorage).filter(value => value.startsWith('/uploads/'))")
        response = requests.head(f"{self.proxy.url}{path}", headers={"Tus-Resumable": "1.0.0"}, timeout=10)
        return int(response.headers["Upload-Offset"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("service")
    tokens = {"owner": (OWNER, ["read", "write", "delete"]), "guest": (GUEST, ["read", "write"])}
    (folder / "tokens").write_text(tokens_file(tokens))
    with serving(folder, TOKENS_FILE=str(folder / "tokens")) as running:
        yield running


@contextmanager
def site_of(server: Server, profile: BrowserContext) -> Iterator[Site]:
    with flaky_proxy(server.port) as proxy, ExitStack() as closing:
        site = Site(proxy, profile, closing, [])
        yield site
        assert site.complaints == []


@pytest.fixture
def site(server: Server, profile: BrowserContext) -> Iterator[Site]:
    """A site without files."""
    server.remove_files()
    with site_of(server, profile) as served:
        yield served


@pytest.fixture
def closed_site(closed_server: Server, profile: BrowserContext) -> Iterator[Site]:
    """A site without files that needs a token."""
    closed_server.remove_files(OWNER)
    with site_of(closed_server, profile) as served:
        yield served


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file larger than one PATCH of an upload, and than all buffers on the way."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(24 * MIB))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pick(page: Page, *paths: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(list(paths))


def drop(page: Page, *paths: Path) -> None:
    browser = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})


def uploads(page: Page) -> Locator:
    return page.locator("#uploads > li")


def files(page: Page) -> Locator:
    return page.locator("#files > li")


def patches(page: Page) -> list[int]:
    """Record the offset of each PATCH that the page sends from now on."""
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return offsets


def wait_for_progress(page: Page, fraction: float) -> None:
    page.wait_for_function("fraction => document.querySelector('progress')?.value > fraction", arg=fraction)


def clipboard(context: BrowserContext) -> str:
    page = context.pages[0]
    return str(page.evaluate("navigator.clipboard.readText()"))


def curl_arguments(command: str) -> list[str]:
    """Return the arguments that bash passes to curl."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}; {command}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return ran.stdout.decode().split("\0")[:-1]


# --- Uploads ---


def test_a_chosen_file_is_stored_and_listed_with_its_digest(site: Site, large: Path) -> None:
    page = site.open()
    expect(page.get_by_text("No files yet")).to_be_visible()

    pick(page, large)

    expect(uploads(page)).to_contain_text("Stored · 25.2 MB")
    expect(files(page)).to_contain_text(["large.bin"])
    expect(files(page).locator("code")).to_have_text(f"{digest(large)[:12]}…")
    files(page).get_by_role("button", name="Copy SHA-256 of large.bin").click()
    expect(page.get_by_role("status")).to_have_text("Copied: the SHA-256")
    assert clipboard(page.context) == digest(large)
    assert site.stored() == {"large.bin": digest(large)}


def test_many_files_can_be_dropped_at_once_even_empty_ones(site: Site, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number} é" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * number)
    page = site.open()

    drop(page, *paths)

    expect(files(page)).to_have_count(8)
    expect(uploads(page).filter(has_text="Stored")).to_have_count(8)
    assert site.stored() == {path.name: digest(path) for path in paths}
    page.get_by_role("button", name="Clear finished").click()
    expect(page.get_by_role("heading", name="Uploads")).to_be_hidden()


def test_a_folder_is_refused(site: Site, tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_bytes(b"content")
    page = site.open()

    drop(page, folder, file)

    expect(files(page)).to_have_count(1)
    assert list(site.stored()) == ["file"]


def test_progress_speed_and_time_left_are_shown(site: Site, large: Path) -> None:
    page = site.open()
    site.proxy.stall_once_after(12 * MIB)

    pick(page, large)

    wait_for_progress(page, 0.3)
    expect(uploads(page)).to_contain_text(re.compile(r"[\d.]+\sMB of 25\.2\sMB · [\d.]+\s[kMG]?B/s · \d+\ss left"))
    expect(page.get_by_role("progressbar", name="Upload of large.bin")).to_be_visible()
    site.proxy.release()
    expect(uploads(page)).to_contain_text("Stored")


def test_only_bytes_in_flight_are_sent_again_after_a_broken_connection(site: Site, large: Path) -> None:
    page = site.open()
    offsets = patches(page)
    site.proxy.break_once_after(20 * MIB)

    pick(page, large)

    expect(uploads(page)).to_contain_text("Stored")
    assert offsets[:2] == [0, 16 * MIB]
    assert len(offsets) == 3
    assert 19 * MIB < offsets[2] <= 20 * MIB
    assert site.stored() == {"large.bin": digest(large)}


def test_an_upload_whose_last_response_is_lost_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    page = site.open()
    offsets = patches(page)
    site.proxy.drop_response_once(b"HTTP/1.1 204")

    pick(page, path)

    expect(uploads(page)).to_contain_text("Stored")
    assert offsets == [0]
    assert site.stored() == {"file": digest(path)}


def test_an_upload_resumes_as_soon_as_the_network_is_back(site: Site, large: Path) -> None:
    page = site.open_alone()
    site.proxy.stall_once_after(4 * MIB)
    pick(page, large)
    wait_for_progress(page, 0.1)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)  # stops all timers

    site.proxy.cut()
    site.proxy.release()
    expect(uploads(page)).to_contain_text("the connection was lost")
    site.proxy.restore()
    # An offset that is read before may be stale when it is used, and then the page waits a second.
    wait_until(lambda: site.received(page) > 0)
    page.context.set_offline(True)
    page.context.set_offline(False)

    expect(uploads(page)).to_contain_text("Stored")
    assert site.stored() == {"large.bin": digest(large)}


def test_a_stalled_connection_is_abandoned(site: Site, large: Path) -> None:
    page = site.open_alone()
    page.clock.install()
    offsets = patches(page)
    site.proxy.stall_once_after(4 * MIB)
    pick(page, large)
    wait_for_progress(page, 0.1)

    page.clock.fast_forward(61_000)
    expect(uploads(page)).to_contain_text("the connection was lost")
    site.proxy.release()
    page.clock.fast_forward(1_000)

    expect(uploads(page)).to_contain_text("Stored")
    assert len(offsets) > 1
    assert site.stored() == {"large.bin": digest(large)}


def test_after_a_reload_the_same_file_resumes_where_it_was(site: Site, large: Path) -> None:
    page = site.open()
    site.proxy.stall_once_after(17 * MIB)
    pick(page, large)
    wait_for_progress(page, 0.7)
    offsets = patches(page)

    page.reload()
    site.proxy.release()
    pick(page, large)

    expect(uploads(page)).to_contain_text("Stored")
    assert min(offsets) >= 16 * MIB
    assert site.stored() == {"large.bin": digest(large)}


def test_a_cancelled_upload_leaves_nothing_on_the_server(site: Site, large: Path) -> None:
    page = site.open()
    site.proxy.stall_once_after(12 * MIB)
    with page.expect_request(lambda request: request.method == "PATCH") as patch:
        pick(page, large)
    wait_for_progress(page, 0.3)

    with page.expect_response(lambda response: response.request.method == "DELETE" and response.status == 204):
        page.get_by_role("button", name="Cancel the upload of large.bin").click()
        site.proxy.release()

    expect(page.get_by_role("heading", name="Uploads")).to_be_hidden()
    assert requests.head(patch.value.url, headers={"Tus-Resumable": "1.0.0"}, timeout=10).status_code == 404
    assert site.stored() == {}
    assert page.evaluate("localStorage.length") == 0


def test_a_refusal_shows_the_server_message(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a\\b"
    path.write_bytes(b"content")
    page = site.open()

    pick(page, path)

    expect(uploads(page)).to_contain_text("Not uploaded: the name 'a\\\\b' is a path: give only the name")
    page.get_by_role("button", name="Try again to upload").click()
    expect(page.get_by_role("status")).to_contain_text("Not uploaded")
    page.get_by_role("button", name="Dismiss").click()
    expect(uploads(page)).to_have_count(0)


# --- The list ---


def test_deleting_needs_a_confirmation(site: Site) -> None:
    for name in ("a", "b"):
        site.store(name, b"content")
    page = site.open()
    delete = page.get_by_role("button", name="Delete b")

    delete.click()
    expect(page.get_by_role("dialog", name="Delete this file?")).to_contain_text("b")
    page.get_by_role("button", name="Keep it").click()
    delete.click()
    page.keyboard.press("Escape")
    assert set(site.stored()) == {"a", "b"}

    delete.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(files(page)).to_have_count(1)
    assert set(site.stored()) == {"a"}


def test_a_file_replaced_since_it_was_listed_is_not_deleted(site: Site) -> None:
    site.store("file", b"old")
    page = site.open()
    expect(files(page)).to_have_count(1)
    site.store("file", b"new")

    page.get_by_role("button", name="Delete file").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_role("alert")).to_have_text(
        "file was not deleted: the file was replaced or deleted: its ETag is not in If-Match"
    )
    assert set(site.stored()) == {"file"}


def test_a_long_list_is_loaded_page_by_page(site: Site) -> None:
    for number in range(101):
        site.store(f"{number:03}", b"")
    page = site.open()
    expect(page.get_by_role("heading", name="Files 100+")).to_be_visible()

    page.get_by_role("button", name="Show more").click()

    expect(files(page)).to_have_count(101)
    expect(page.get_by_role("heading", name="Files 101")).to_be_visible()
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_a_list_that_cannot_be_loaded_shows_the_reason(site: Site) -> None:
    site.store("file", b"")
    page = site.open()
    expect(files(page)).to_have_count(1)

    site.proxy.cut()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_have_text("The list cannot be loaded: the connection was lost")
    site.proxy.restore()
    page.get_by_role("button", name="Refresh").click()

    expect(page.get_by_role("alert")).to_be_hidden()
    expect(files(page)).to_have_count(1)


def test_a_hostile_name_stays_text_and_its_curl_command_has_one_address(site: Site, tmp_path: Path) -> None:
    path = tmp_path / HOSTILE
    path.write_bytes(b"content")
    page = site.open()

    pick(page, path)

    for row in (uploads(page), files(page)):
        expect(row.locator("bdi")).to_have_text(HOSTILE)
        row.get_by_role("button", name="Copy curl command").click()
        expect(page.get_by_role("status")).to_have_text("Copied: the curl command")
        *options, address = curl_arguments(clipboard(page.context))
        assert options == ["-fOJ"]
        assert requests.get(address, timeout=10).content == b"content"
        assert not set("'{}[]") & set(address), "special to shells or to curl"
    expect(page.locator("li img")).to_have_count(0)
    assert page.title() == "File transfer"
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog").locator("bdi")).to_have_text(HOSTILE)


def test_a_file_is_downloaded_under_its_name(site: Site) -> None:
    site.store("a 'b' é.txt", b"content")
    page = site.open()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download a 'b' é.txt").click()

    assert download.value.suggested_filename == "a 'b' é.txt"
    assert download.value.path().read_bytes() == b"content"


def test_commands_can_be_copied_without_the_clipboard_api(site: Site) -> None:
    site.store("file", b"")
    page = site.open()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")

    page.get_by_role("button", name="Copy curl command").click()

    expect(page.get_by_role("status")).to_have_text("Copied: the curl command")
    expect(page.get_by_role("button", name="Copy curl command")).to_be_focused()
    page.reload()
    assert clipboard(page.context) == f"curl -fOJ '{site.proxy.url}/files/file'"


def test_what_is_invisible_in_a_name_is_shown(site: Site) -> None:
    site.store("photo", b"content")
    (file,) = requests.get(f"{site.proxy.url}/files", timeout=10).json()
    family = "\U0001f468\u200d\U0001f469"
    names = {
        "photo\u202egpj.exe": "photo[U+202E]gpj.exe",
        "re\u200bport\u200d": "re[U+200B]port[U+200D]",
        family: family,
        "\u0646\u200c\u200c\u0646": "\u0646[U+200C][U+200C]\u0646",
    }
    context = site.browser.new_context()
    site.closing.callback(context.close)
    context.route("**/files?limit=100", lambda route: route.fulfill(json=[{**file, "name": name} for name in names]))
    page = context.new_page()
    page.goto(site.proxy.url)

    expect(files(page)).to_have_count(len(names))
    assert sorted(row.locator("bdi").text_content() or "" for row in files(page).all()) == sorted(names.values())
    expect(page.get_by_role("link", name="Download photo[U+202E]gpj.exe")).to_have_attribute(
        "href", "/files/photo%E2%80%AEgpj.exe"
    )


# --- With tokens ---


def use_token(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")


def test_a_server_that_requires_a_token_gets_it(closed_site: Site, large: Path) -> None:
    page = closed_site.open()
    expect(page.get_by_label("Token")).to_be_focused()
    pick(page, large)
    expect(uploads(page)).to_contain_text("a valid token is needed")

    use_token(page, "wrong")
    expect(page.get_by_text("The server does not accept this token")).to_be_visible()
    use_token(page, OWNER)

    expect(uploads(page)).to_contain_text("Stored")
    expect(page.get_by_label("Token")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download large.bin").click()
    assert digest(download.value.path()) == digest(large)
    listed = page.get_by_role("region", name="Files")
    listed.get_by_role("button", name="Copy curl command for large.bin").click()
    expect(page.get_by_role("status")).to_contain_text("which reads the token from $TOKEN")
    command = clipboard(page.context)
    assert curl_arguments(f"TOKEN={OWNER}\n{command}")[1:3] == ["-H", f"Authorization: Bearer {OWNER}"]
    page.get_by_role("button", name="Forget the token").click()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(files(page)).to_have_count(0)


def test_the_token_is_in_the_page_s_memory_alone(closed_site: Site) -> None:
    page = closed_site.open()
    use_token(page, OWNER)
    expect(page.get_by_role("button", name="Forget the token")).to_be_visible()

    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_the_delete_button_disappears_without_the_scope(closed_site: Site, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    page = closed_site.open()
    use_token(page, GUEST)
    pick(page, path)

    page.get_by_role("button", name="Delete file").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_role("alert")).to_have_text(
        'file was not deleted: the token "guest" does not have the scope "delete"'
    )
    expect(page.get_by_role("button", name="Delete file")).to_be_hidden()
    expect(files(page)).to_have_count(1)


# --- Accessibility ---


def test_the_page_works_without_a_mouse(site: Site, tmp_path: Path) -> None:
    site.store("z", b"")
    path = tmp_path / "mine"
    path.write_bytes(b"content")
    page = site.open()

    def tab_to(name: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() and name in (focused.get_attribute("aria-label") or focused.text_content() or ""):
                assert focused.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
                return
        pytest.fail(f'"{name}" cannot be reached by keyboard')

    page.on("filechooser", lambda chooser: chooser.set_files(path))
    tab_to("Choose files")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("mine: Stored · 7 B")
    tab_to("Dismiss the upload of mine")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Choose files")).to_be_focused()
    tab_to("Copy curl command for mine")
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("Copied: the curl command")
    tab_to("Delete mine")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete z")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No files yet")).to_be_visible()
    expect(page.get_by_role("heading", name="Files")).to_be_focused()
    assert site.stored() == {}


def test_every_control_has_a_name(site: Site) -> None:
    site.store("file", b"")
    page = site.open()
    expect(files(page)).to_have_count(1)

    for control in page.locator("button:visible, a:visible, input:visible").all():
        assert control.get_attribute("aria-label") or (control.text_content() or "").strip()


def test_the_page_fits_a_phone_with_large_controls(site: Site, tmp_path: Path, large: Path) -> None:
    site.store("n" * 250, b"")
    path = tmp_path / ("W" * 200)
    path.write_bytes(b"content")
    page = site.open_alone(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    site.proxy.stall_once_after(12 * MIB)
    pick(page, path, large)
    wait_for_progress(page, 0.99)
    expect(files(page)).to_have_count(2)

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for control in page.locator("button:visible, a.button:visible").all():
        box = control.bounding_box()
        assert box
        assert (box["height"] >= 44, box["width"] >= 44) == (True, True), control.text_content()
    page.get_by_role("button", name="Delete W").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_dark_scheme_has_colours_of_its_own(site: Site) -> None:
    def brightness(scheme: str) -> list[float]:
        page = site.open_alone(color_scheme=scheme)
        colours = page.evaluate(
            "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
        )
        return [sum(int(number) for number in re.findall(r"\d+", colour)[:3]) / 3 for colour in colours]

    light, dark = brightness("light"), brightness("dark")

    assert light[0] > 200 > 60 > light[1]
    assert dark[0] < 60 < 200 < dark[1]


def test_reduced_motion_is_respected(site: Site) -> None:
    page = site.open_alone(reduced_motion="reduce")

    assert page.locator("#choose").evaluate("it => getComputedStyle(it).transitionDuration") == "0s"


# --- Headers and files ---


def test_only_the_page_s_own_scripts_run(site: Site) -> None:
    page = site.open()

    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=/page.svg onload='document.title = `owned`'>");
        }"""
    )

    expect(page).to_have_title("File transfer")
    assert len(site.complaints) == 2
    assert all("inline" in complaint for complaint in site.complaints)
    site.complaints.clear()


@pytest.mark.parametrize("path", web_page.PATHS)
def test_every_file_of_the_page_has_its_headers(path: str) -> None:
    response = web_page.response(path)

    assert response.status == 200
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_current_copy_is_not_sent_again(form: str) -> None:
    tag = web_page.response("/").headers["ETag"]

    response = web_page.response("/", form.format(tag))

    assert (response.status, response.body, response.headers["ETag"]) == (304, b"", tag)
    assert web_page.response("/", '"other"').status == 200


def test_every_file_that_the_page_refers_to_is_served() -> None:
    texts = [web_page.response(path).body.decode() for path in web_page.PATHS]
    named = {name for text in texts for name in re.findall(r'(?:href|src)="(/page[^"]*)"|from "\.(/page[^"]*)"', text)}

    assert {one or other for one, other in named} == set(web_page.PATHS) - {"/"}


# --- Pages of other sites ---


def test_the_page_of_another_site_uploads_and_shows_nothing(site: Site) -> None:
    site.store("kept", b"content")
    target = site.proxy.url
    attack = f"""<iframe src="{target}/"></iframe>
<form method=post enctype=multipart/form-data action="{target}/upload"><input type=file name=file></form>
<script>
  const form = document.forms[0];
  const transfer = new DataTransfer();
  transfer.items.add(new File(["planted"], "planted"));
  form.elements.file.files = transfer.files;
  const send = (method, path) => fetch("{target}" + path, {{ method, mode: "no-cors" }}).catch(() => null);
  Promise.all([send("POST", "/upload"), send("GET", "/files")]).then(() => form.submit());
</script>"""
    context = site.browser.new_context()
    site.closing.callback(context.close)
    context.route("http://evil.example/*", lambda route: route.fulfill(content_type="text/html", body=attack))
    page = context.new_page()

    page.goto("http://evil.example/")
    page.wait_for_url(f"{target}/upload")

    assert "the page of another site has sent this" in page.content()
    assert list(site.stored()) == ["kept"]
