"""The report as a page: what it shows, what it leaves out, and what it must never do."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from page_reports import EMOTIONS, exhibit, plain_report, rich_report

from evaluation.page.exhibit import Exhibit
from evaluation.page.page import html, write
from evaluation.report import Report
from evaluation.saved_report import NO_GUARANTEE, limits
from synth_data.task import Task

SECTIONS = [
    *("summary", "results", "differences", "sizes", "between"),
    *("architectures", "confusions", "speakers"),
    *("gallery", "robustness", "model-distillation", "ways", "scores", "limits", "again"),
]


class Page(HTMLParser):
    """Elements with their attributes, in order, and the text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report() -> Report:
    return rich_report()


@pytest.fixture(scope="module")
def rich(report: Report) -> Page:
    return Page(html(report, [exhibit()]))


@pytest.fixture(scope="module")
def plain() -> Page:
    return Page(html(plain_report()))


def test_every_section_is_there_and_in_the_contents(rich: Page) -> None:
    assert [heading["id"] for heading in rich.all("h2")] == SECTIONS
    assert [link["href"] for link in rich.all("a")[1:]] == [f"#{name}" for name in SECTIONS]


def test_sections_without_numbers_are_left_out(plain: Page) -> None:
    left = ["summary", "results", "differences", "confusions", "speakers", "ways"]
    assert [heading["id"] for heading in plain.all("h2")] == [*left, "limits", "again"]
    assert [link["href"] for link in plain.all("a")[1:]] == [
        f"#{heading['id']}" for heading in plain.all("h2")
    ]


def test_a_report_without_breakdowns_still_makes_a_page(report: Report) -> None:
    bare = report.model_copy(
        update={"confusions": (), "groups": (), "scores": (), "comparisons": ()}
    )
    left = [heading["id"] for heading in Page(html(bare)).all("h2")]
    gone = {"differences", "confusions", "speakers", "gallery", "scores"}
    assert left == [name for name in SECTIONS if name not in gone]


def test_what_every_reader_must_know_is_said(report: Report, rich: Page) -> None:
    for line in (
        report.protocol,
        report.command,
        NO_GUARANTEE,
        limits(6),
        *report.notes,
        *report.unavailable,
        *report.failed,
        f"PyTorch {report.versions.torch}",
    ):
        assert line in rich.text


def test_the_same_report_makes_the_same_bytes(report: Report, tmp_path: Path) -> None:
    write(tmp_path / "new" / "report.html", report, [exhibit()])
    first = (tmp_path / "new" / "report.html").read_bytes()
    write(tmp_path / "new" / "report.html", report, [exhibit()])
    assert (tmp_path / "new" / "report.html").read_bytes() == first
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


def test_nothing_is_asked_of_the_network(rich: Page) -> None:
    (policy,) = [meta["content"] for meta in rich.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")
    for tag, attributes in rich.elements:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href"):
            if name in attributes:
                assert re.match("data:|#", attributes[name]), (tag, attributes[name][:60])
    assert not re.search(r"url\(|@import", rich.text)


def test_names_are_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    report = plain_report()
    renamed = Report.model_validate_json(
        report.model_copy(
            update={
                "corpus": evil,
                "protocol": evil,
                "command": evil,
                "notes": (evil,),
                "emotions": (evil, *EMOTIONS[1:]),
            }
        )
        .model_dump_json()
        .replace('"set":"distilled"', '"set":"</td><script>alert(2)</script>"')
    )
    shown = exhibit(evil, per_class=1)
    foreign = replace(shown.synthetic, task=Task((evil, *EMOTIONS[1:])))
    page = Page(html(renamed, [Exhibit(evil, foreign, shown.means)]))
    assert page.text.count(evil) > 5
    assert "</td><script>alert(2)</script>" in page.text
    assert not page.all("script")
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert {picture["src"][:5] for picture in page.all("img")} == {"data:"}


def test_pictures_and_tables_can_be_read_by_those_who_cannot_see(rich: Page, plain: Page) -> None:
    for page in (rich, plain):
        assert all(picture["alt"] for picture in page.all("img"))
        assert all(
            drawing.get("aria-label") or drawing.get("aria-hidden") or "x" in drawing
            for drawing in page.all("svg")
        )
        assert all(cell["scope"] in ("col", "row", "rowgroup") for cell in page.all("th"))
        assert len(page.all("caption")) == len(page.all("table")) > 0
        regions = [part for _, part in page.elements if part.get("role") == "region"]
        labels = [part["aria-label"] for part in regions]
        assert len(set(labels)) == len(labels) > len(page.all("table"))
        assert {part["tabindex"] for part in regions} == {"0"}
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
