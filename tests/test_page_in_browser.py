"""The report's page in a real browser, headless: seen, heard, keyed through and printed."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from page_reports import exhibit, rich_report
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from evaluation.page.page import write

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="chromium and chromedriver are not installed"
)

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
)

# The lowest contrast of any text with what is behind it, by WCAG 2, and that text.
CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const parse = colour => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = rgb => {
  const [r, g, b] = rgb.slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (parse(colour)[3] > 0) return parse(colour);
  }
  return [255, 255, 255, 255];
};
let worst = [21, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement, style = getComputedStyle(element);
  if (!node.data.trim()) continue;
  const ink = element instanceof SVGElement ? style.fill : style.color;
  const levels = [luminance(parse(ink)), luminance(behind(element))].sort((a, b) => a - b);
  const contrast = (levels[1] + 0.05) / (levels[0] + 0.05);
  if (contrast < worst[0]) worst = [contrast, node.data.trim()];
}
return worst;
"""

Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write(path, rich_report(), [exhibit()])
    return path.as_uri()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield browser
    browser.quit()


@pytest.fixture
def browser(started: Browser, page: str) -> Browser:
    """The page, just opened on a desktop."""
    _resize(started, 1280, mobile=False)
    started.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    started.get(page)
    WebDriverWait(started, 20).until(lambda _: _ask(started, "document.readyState") == "complete")
    return started


def _resize(browser: Browser, width: int, mobile: bool) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": mobile},
    )


def _ask(browser: Browser, expression: str) -> Any:
    return browser.execute_script(f"return {expression}")


def test_it_loads_without_complaint_and_from_nowhere_else(browser: Browser) -> None:
    assert browser.get_log("browser") == []
    loaded = _ask(browser, "performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name[:40] for name in loaded if not name.startswith("data:")] == []


def test_the_policy_stops_what_comes_from_elsewhere(browser: Browser) -> None:
    """So that the test above would see it."""
    browser.execute_script(
        "const image = new Image(); image.src = 'file:///nowhere.png'; document.body.append(image)"
    )
    WebDriverWait(browser, 10).until(
        lambda _: any(
            "Content Security Policy" in line["message"] for line in browser.get_log("browser")
        )
    )


def test_every_picture_is_drawn_and_described(browser: Browser) -> None:
    pictures = _ask(browser, "[...document.images].map(x => [x.naturalWidth, x.alt, x.complete])")
    assert len(pictures) > 20
    assert all(width > 0 and alt and complete for width, alt, complete in pictures)


def test_every_sound_can_be_played(browser: Browser) -> None:
    WebDriverWait(browser, 20).until(
        lambda _: _ask(
            browser, "[...document.querySelectorAll('audio')].every(x => x.duration > 0)"
        )
    )
    durations = _ask(browser, "[...document.querySelectorAll('audio')].map(x => x.duration)")
    assert len(durations) == 14
    assert all(0.3 < seconds < 0.6 for seconds in durations)  # forty frames of ten milliseconds
    assert all(_ask(browser, "[...document.querySelectorAll('audio')].map(x => x.controls)"))
    browser.find_element(By.TAG_NAME, "audio").send_keys(Keys.SPACE)
    WebDriverWait(browser, 10).until(
        lambda _: _ask(browser, "document.querySelector('audio').currentTime > 0")
    )
    assert _ask(browser, "document.querySelector('audio').error") is None


@pytest.mark.parametrize("width", [320, 390, 820])
def test_a_phone_never_scrolls_the_page_sideways(browser: Browser, width: int) -> None:
    _resize(browser, width, mobile=True)
    browser.execute_script("document.querySelectorAll('details').forEach(x => { x.open = true })")
    assert _ask(browser, "document.documentElement.scrollWidth") == width
    wide = _ask(
        browser,
        "[...document.querySelectorAll('.scroll')].filter(x => x.scrollWidth > x.clientWidth)"
        ".length",
    )
    assert wide > 0 or width == 820  # tables scroll inside their regions
    widest = _ask(browser, "Math.max(...[...document.images].map(x => x.clientWidth))")
    assert 0 < widest <= width


def test_the_main_table_fits_a_desktop(browser: Browser) -> None:
    table = browser.find_element(By.CSS_SELECTOR, ".scroll")
    assert table.get_property("scrollWidth") <= table.get_property("clientWidth")


def test_tab_reaches_regions_sections_and_players(browser: Browser) -> None:
    reached, first = [], None
    for _ in range(400):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element, tag, role, outline = _ask(
            browser,
            "(x => [x, x.tagName, x.getAttribute('role'), getComputedStyle(x).outlineStyle])"
            "(document.activeElement)",
        )
        if element == first or tag == "BODY":
            break
        first = first or element
        reached.append((tag, role))
        if tag != "AUDIO":  # the browser draws the focus of its own player
            assert outline != "none", (tag, role)
    assert reached[0] == ("A", None)  # the link past the contents
    closed = "[...document.querySelectorAll('details:not([open])')]"
    regions = _ask(
        browser,
        f"[...document.querySelectorAll('[role=region]')].filter(x => !{closed}"
        ".some(y => y.contains(x))).length",
    )
    assert sum(role == "region" for _, role in reached) == regions > 5
    assert {tag for tag, _ in reached} >= {"A", "SUMMARY", "AUDIO", "DIV", "PRE"}
    assert _ask(browser, "document.querySelector('.skip').getAttribute('href')") == "#main"


def test_headings_are_in_order(browser: Browser) -> None:
    levels = [
        int(heading.tag_name[1])
        for heading in browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")
    ]
    assert levels[0] == 1 not in levels[1:]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_all_text_contrasts_with_what_is_behind_it(browser: Browser) -> None:
    contrast, text = browser.execute_script(CONTRAST)
    assert contrast >= 4.5, text
    browser.execute_script("document.querySelector('h1').style.color = '#999'")
    assert browser.execute_script(CONTRAST)[0] < 3  # the measure does see pale text


def test_print_shows_everything_but_players_and_contents(browser: Browser) -> None:
    def shown(selector: str) -> bool:
        every = f"[...document.querySelectorAll({selector!r})]"
        return bool(_ask(browser, f"{every}.some(x => x.checkVisibility() && x.clientHeight > 0)"))

    folded = "details:not([open]) table"
    assert shown("audio")
    assert shown("nav")
    assert not shown(folded)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not shown("audio")
    assert not shown("nav")
    assert shown("table")
    assert shown(folded)
    assert _ask(browser, "getComputedStyle(document.querySelector('nav')).position") == "static"


def test_contents_stay_in_sight(browser: Browser) -> None:
    browser.find_element(By.CSS_SELECTOR, "a[href='#scores']").click()
    where = "document.querySelector('nav ul').getBoundingClientRect().top"
    WebDriverWait(browser, 10).until(lambda _: _ask(browser, "scrollY") > 1000)
    assert 0 <= _ask(browser, where) < 100
