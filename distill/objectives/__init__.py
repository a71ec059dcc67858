"""Objectives, by the name they have on the command line."""

from distill.objectives.gradient_matching import GradientMatching
from distill.objectives.objective import Objective

OBJECTIVES: dict[str, type[Objective]] = {
    "gradient-matching": GradientMatching,
}
