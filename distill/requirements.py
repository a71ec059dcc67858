"""What of a set can be made together; what cannot is refused before any work."""

from dataclasses import replace

from distill.candidate import Parameterisation
from distill.disentangle.disentangler import Disentangler
from distill.expert import Expert
from distill.native import Native
from distill.objectives import OBJECTIVES
from distill.objectives.objective import Objective
from synth_data.errors import UserError
from synth_data.representation import Representation
from synth_data.task import TaskName


def has_schedule(objective: Objective) -> bool:
    """Whether an objective learns a native schedule of its own."""
    return objective.schedule(objective.learned(), 1) is not None


def experts_needed(
    expert: Expert, objective: Objective, parameterisation: Parameterisation, native: Native
) -> Expert | None:
    """Those that a set takes after: all of them for its labels, one for a native schedule."""
    if parameterisation.hears_labels and not objective.teaches:
        return expert
    return replace(expert, count=1) if native.steps else None


def require_fit(
    objective: Objective, parameterisation: Parameterisation, native: Native, spec: Representation
) -> None:
    """Raises `UserError` if an objective cannot make such a set."""
    if parameterisation.learns_labels and not objective.learns_labels:
        raise UserError(
            f"{objective.name} with these settings cannot learn labels: use hard labels, or taught "
            f"ones where that is possible, or another objective, or give distribution-matching a "
            f"classification term and more than one checkpoint"
        )
    if parameterisation.slices > spec.frames:
        raise UserError(
            f"{parameterisation.slices} slices of {spec.frames} frames leave nothing: the slices "
            f"of an item can be at most its frames"
        )
    if parameterisation.decoder != "none":
        _require_decodable(parameterisation, native)
    if native.steps and objective.starts_from == "random":
        raise UserError(
            "a native schedule is for students from the fixed initialisation, and this set is for "
            "random ones: set native steps to 0, or starts_from to fixed or both"
        )
    if parameterisation.labels == "taught" and has_schedule(objective):
        raise UserError(
            f"{objective.name} learns a schedule for the labels that it sees, and taught ones come "
            f"after it: use hard labels, soft or refined ones"
        )
    if native.steps and has_schedule(objective):
        raise UserError(
            f"{objective.name} learns a native schedule of its own: set native steps to 0, or "
            f"choose another objective"
        )


def require_told(
    task: TaskName,
    disentangler: Disentangler | None,
    objective: Objective,
    *,
    private: bool,
    public: bool,
) -> None:
    """Raises `UserError` if a set that tells dimensions cannot be made like this."""
    if task == "categorical":
        return
    if private and not objective.tells_dimensions_privately:
        able = [name for name, one in OBJECTIVES.items() if one.tells_dimensions_privately]
        raise UserError(
            f"what {objective.name} asks of speech with dimensions has no public length, so no "
            f"budget can be kept. Found the task {task} under --epsilon: use --objective "
            f"{' or '.join(able)} or --task categorical, or leave --epsilon out"
        )
    if public:
        raise UserError(
            f"public speech is read under the emotions of the corpus, and dimensions have no such "
            f"names. Found the task {task}: use --task categorical, or leave --public-dataset out"
        )
    if disentangler is not None and disentangler.needs_emotions:
        raise UserError(
            f"{disentangler.name} keeps how likely each emotion is and nothing else, so dimensions "
            f"would be lost. Found the task {task}: use --disentangle leace, or --task categorical"
        )


def _require_decodable(parameterisation: Parameterisation, native: Native) -> None:
    """Raises `UserError` if items of a decoder cannot be made like this."""
    if parameterisation.slices > 1:
        raise UserError(
            f"a decoder makes whole items, of codes: found {parameterisation.slices} slices "
            f"beside it. Set slices to 1, or decoder to none"
        )
    if parameterisation.numbers == "int8":
        raise UserError(
            "codes and weights of a decoder are stored as float32 or float16, not int8: set "
            "numbers to one of these, or decoder to none"
        )
    if native.steps:
        raise UserError(
            "a native schedule moves a few items at a time, and a decoder's weights would move "
            "all of them: set native steps to 0, or decoder to none"
        )
    parameterisation.build_decoder()  # or it says which of its sizes is out of range
