"""Objectives, by the name they have on the command line."""

from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.gradient_matching import GradientMatching
from distill.objectives.kernel import Kernel
from distill.objectives.linear_gradient_matching import LinearGradientMatching
from distill.objectives.objective import Objective
from distill.objectives.released_moments import ReleasedMoments
from distill.objectives.trajectory_matching import TrajectoryMatching
from distill.objectives.unrolled import Unrolled

OBJECTIVES: dict[str, type[Objective]] = {
    "gradient-matching": GradientMatching,
    "linear-gradient-matching": LinearGradientMatching,
    "distribution-matching": DistributionMatching,
    "trajectory-matching": TrajectoryMatching,
    "kernel": Kernel,
    "unrolled": Unrolled,
    "released-moments": ReleasedMoments,
}
