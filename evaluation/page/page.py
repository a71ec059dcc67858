"""Writes `report.html`: everything in one file that asks no network for anything."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from evaluation.attack_section import ATTACKED
from evaluation.files import write_atomically
from evaluation.options import NATIVE
from evaluation.page.architectures import architectures
from evaluation.page.attacks import attacks
from evaluation.page.confusions import confusions
from evaluation.page.exhibit import Exhibit
from evaluation.page.gallery import gallery
from evaluation.page.headline import headline
from evaluation.page.model_distillation import model_distillation
from evaluation.page.over_ipc import over_ipc
from evaluation.page.results import differences, results
from evaluation.page.robustness import robustness
from evaluation.page.scores import scores
from evaluation.page.speakers import speakers
from evaluation.page.start_noise import start_noise
from evaluation.page.view import View
from evaluation.page.ways import cost, ways
from evaluation.report import Report
from evaluation.saved_report import NATIVES, limits


def write(path: Path, report: Report, exhibits: Sequence[Exhibit] = ()) -> None:
    """Writes the page whole; the same report and sets give the same bytes.

    Args:
        path: of the page; its folder is made if it is missing.
        report: the numbers. Sections without numbers are left out.
        exhibits: sets to be seen and heard, in this order.
    """
    write_atomically(path, html(report, exhibits))


def template(name: str) -> Template:
    """A page's template; every name in it is escaped, since sets and corpora are foreign."""
    environment = Environment(
        loader=PackageLoader("evaluation.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def html(report: Report, exhibits: Sequence[Exhibit] = ()) -> str:
    """The page as text."""
    views = View.all_of(report)
    view = views[0]
    return template("report.html.j2").render(
        report=report,
        privacy=report.privacy,
        limits=limits(max(row.speakers for row in report.rows)),
        headline=[claim for each in views for claim in headline(each)],
        results=[part for each in views for part in results(each)],
        natives=NATIVES if any(row.recipe == NATIVE for row in view.rows) else "",
        differences=[part for each in views for part in differences(each)],
        over_ipc=over_ipc(view),
        start_noise=start_noise(view),
        architectures=architectures(view),
        confusions=confusions(view),
        speakers=speakers(view),
        gallery=gallery(exhibits),
        attacks=attacks(view),
        attacked=ATTACKED,
        robustness=robustness(view),
        model_distillation=model_distillation(view),
        ways=ways(view),
        cost=cost(view),
        scores=scores(view),
    )
