"""The settings of a run: defaults, then a TOML file, then the command line."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from distill import speaker_penalty
from distill.candidate import Parameterisation
from distill.choice import (
    AUTO,
    ENOUGH,
    SHORT,
    Choice,
    choose,
    choose_for_dimensions,
    choose_private,
    choose_untrained,
)
from distill.defaults import (
    COSINES_LOOP,
    FIRST_MINUTE,
    HALF_NUMBERS,
    LEARNED,
    NATIVE_STEPS,
    PRIVATE_LOOP,
    TAUGHT,
    UNKNOWN_EMOTIONS,
    small_items,
)
from distill.disentangle import DISENTANGLERS, Disentangler
from distill.expert import Expert
from distill.native import Native
from distill.nested import require_smaller
from distill.objectives import OBJECTIVES
from distill.objectives.objective import Objective
from distill.outer_loop import Loop
from distill.private import plan_of, require_possible, require_public_folds
from distill.public import not_apart, require_of_use
from distill.requirements import has_schedule, require_fit, require_told
from evaluation.files import write_atomically
from evaluation.networks import NETWORKS, require_room, require_uncoupled, usual_student
from evaluation.students import RECIPES, Recipe
from synth_data.corpora.facts import Corpus
from synth_data.corpus import find_root, known_corpus, protocol_of
from synth_data.errors import UserError, unknown_name
from synth_data.features import FeatureSpec
from synth_data.ledger import PrivacyBudget, Unit
from synth_data.protocol import Protocol
from synth_data.representation import Representation
from synth_data.representations import known_feature
from synth_data.settings import changed, in_words, read_settings
from synth_data.task import TaskName

Fold = int | Literal["all", "none"]


class RunConfig(BaseModel):
    """Everything that decides the result of a run; the fields are the keys of `run.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    dataset: str = "toy"
    """Name of a corpus."""
    task: TaskName = "categorical"
    """What is to be told of an utterance: its emotion ("categorical"), its valence, activation and
    dominance ("dimensional"), or both."""
    scale: tuple[float, float] | None = None
    """The lowest and the highest value of dimensions, where the corpus leaves that open; if absent,
    the first of its usual ones that holds all values."""
    dimension_weights: tuple[float, ...] = ()
    """Of each dimension in what is learned, relative to the others; if absent, all count alike."""
    data_root: Path | None = None
    """Its folder; from the environment if absent."""
    protocol: str | None = None
    """One of the corpus' protocols; if absent, its default: of a table with a split, that."""
    fold: Fold | None = None
    """A fold, "all", or "none": made from all speakers, to share, without a test. If absent, all;
    for the built-in corpus, the first."""
    feature: str | None = None
    """Name of a representation (`synth_data.representations`); if absent, logmel64, or
    logmel64-short for the built-in corpus."""
    ipc: int = Field(default=10, ge=1)
    """Synthetic items per class, or per cell of the label space where dimensions are told; in small
    items, the bytes of so many."""
    nested: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Smaller sizes, in the same terms, that the first items of each class are sets of as well."""
    objective: str = AUTO
    """Name of an objective; "auto" for the one that `distill.choice` says."""
    student: str = AUTO
    """The network that the set is made for, and that is trained on it; "auto" for tdnn, or mlp
    where features have too few frames for that."""
    seed: int = 0
    """Of everything random."""
    seeds: int = Field(default=5, ge=1)
    """Students per set and initialisation."""
    device: str = "auto"
    """auto, cpu, cuda, or another of PyTorch's."""
    allow_missing: bool = False
    """Go on when labels lack audio or audio lacks labels."""
    skip_bad: bool = False
    """Leave out recordings that cannot be used."""
    max_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """That making a fold's set may take; it is then the best one so far."""
    loop: dict[str, Any] = {}
    """Settings of the outer loop."""
    parameterisation: dict[str, Any] = {}
    """How a set spends its bytes, and what of it is learned."""
    settings: dict[str, Any] = {}
    """Settings of the objective."""
    native: dict[str, Any] = {}
    """How a native schedule is added, for students from the fixed initialisation."""
    expert: dict[str, Any] = {}
    """How the network learns that taught labels and native schedules come from."""
    disentangle: str | None = None
    """Name of a disentangler that takes the speaker out of the speech first."""
    disentangler: dict[str, Any] = {}
    """Settings of the disentangler."""
    speaker_penalty: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Weight of what speakers can be told by in the items, while they are learned."""
    epsilon: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What each fold's set may give away about a unit (differential privacy); if absent, there is
    no formal guarantee."""
    delta: float = Field(default=1e-4, gt=0, lt=1)
    """Of differential privacy; well below one over the number of units."""
    unit: Unit = "speaker"
    """Whose presence is protected: all that a speaker said, one utterance, or a session."""
    units_at_least: int | None = Field(default=None, ge=1)
    """A public number that the units on the training side are not fewer than; if absent, that of a
    corpus whose speakers are published."""
    accept_low_utility: bool = False
    """Go on where there are too few units for a set to be of use."""
    recordings: str | None = None
    """Digest of recordings, labels and, where they are used, ratings and transcripts; a run writes
    it, so as not to be resumed on others."""
    public_dataset: str | None = None
    """Name of a second corpus, which may be read freely, since nobody protects its speakers: items
    can start as its utterances (initialisation "public"), and disentanglers are fitted to them."""
    public_root: Path | None = None
    """Its folder; from the environment if absent."""
    public_label_map: dict[str, str] = {}
    """From its emotions to those of the corpus, where names differ; to nothing for one that is left
    out, as those are that the corpus lacks."""
    public_recordings: str | None = None
    """As `recordings`, of the public corpus."""
    recipe: dict[str, Any] = {}
    """How students are trained, where that differs from the student's generic recipe."""

    @field_validator("fold", mode="before")
    @classmethod
    def _fold(cls, value: object) -> object:
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if value in ("all", "none", None) or (type(value) is int and value >= 1):
            return value
        raise ValueError("should be a number from 1, all or none")

    @classmethod
    def of(cls, file: Path | None, given: Mapping[str, Any]) -> "RunConfig":
        """The settings of a file, overridden by those given; not resolved yet.

        Args:
            file: of settings.
            given: by name, None for those that are not given; tables change those of the file. With
                another objective than the file's, the file's settings of that one do not count.

        Raises:
            UserError: the file cannot be read, or a setting is unknown or out of range.
        """
        values = read_settings(file) if file is not None else {}
        if given.get("objective") not in (None, values.get("objective", given.get("objective"))):
            values.pop("settings", None)
        for name, value in given.items():
            if isinstance(value, Mapping):
                inner: dict[str, Any] = {k: v for k, v in value.items() if v is not None}
                before = values.get(name, {})
                values[name] = {**before, **inner} if isinstance(before, Mapping) else before
            elif value is not None:
                values[name] = value
        for name in values:
            if name not in cls.model_fields:
                raise unknown_name("setting", name, cls.model_fields)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(in_words(error)) from error

    def resolved(self) -> "RunConfig":
        """The same run with every default filled in.

        Raises:
            CorpusError: nothing says where the corpus is.
            UserError: a name is unknown, or a setting of a table is unknown or of a wrong type.
        """
        self._require_budget()
        self._require_public()
        first = FIRST_MINUTE if self.corpus.access == "built-in" else {}
        if self.objective == AUTO:
            settings = {**self.choice.settings, **self.settings}
            update = {"objective": self.choice.objective, "settings": settings}
            return self.model_copy(update=update).resolved()
        if self.student == AUTO:
            return self.model_copy(update={"student": usual_student(*self.spec.shape)}).resolved()
        if self.student not in NETWORKS:
            raise unknown_name("student", self.student, NETWORKS)
        require_uncoupled(self.student)
        require_room(self.student, self.spec)
        if self.objective not in OBJECTIVES:
            raise unknown_name("objective", self.objective, [*OBJECTIVES, AUTO])
        known = {setting.name for setting in dataclasses.fields(OBJECTIVES[self.objective])}
        shorter = {
            "loop": self._usual_loop,
            "settings": {k: v for k, v in first.get("settings", {}).items() if k in known},
            "recipe": first.get("recipe", {}),
        }
        tables = {name: values | getattr(self, name) for name, values in shorter.items()}
        tables["parameterisation"] = dataclasses.asdict(self.build_parameterisation())
        whole = self.model_copy(update=tables)
        made = whole.build_objective(), whole.build_parameterisation(), whole.build_native()
        require_fit(*made, self.spec)
        require_smaller(self.nested, self.ipc)
        disentangler = self.build_disentangler()
        require_told(
            *(self.task, disentangler, made[0]),
            private=self.budget is not None,
            public=self.public_dataset is not None,
        )
        if self.budget is not None:
            require_possible(
                *(made[0], whole.build_loop(), *made[1:]),
                *(disentangler, self.speaker_penalty, self.spec),
                validated=False,
                timed=self.max_minutes is not None,
                public=self.public_dataset is not None,
            )
            plan_of(made[0], whole.build_loop())
            if self.fold != "none":
                require_public_folds(self.corpus, self.corpus_protocol)
        require_of_use(self.public_dataset is not None, whole.build_loop(), disentangler)
        root = find_root(self.corpus, self.data_root)
        public_root = self._find_public(root)
        fold = self.fold if self.fold is not None else first.get("fold", "all")
        return self.model_copy(
            update={
                "data_root": root.absolute() if root else None,
                "public_root": public_root.absolute() if public_root else None,
                "protocol": protocol_of(self.corpus, self.protocol, root).name,
                "fold": fold,
                "feature": self.feature_name,
                "device": _device(self.device),
                "loop": dataclasses.asdict(whole.build_loop()),
                "parameterisation": whole.parameterisation,
                "settings": dataclasses.asdict(whole.build_objective()),
                "native": dataclasses.asdict(self.build_native()),
                "expert": dataclasses.asdict(self.build_expert()),
                "disentangler": {} if disentangler is None else dataclasses.asdict(disentangler),
                "recipe": dataclasses.asdict(whole.build_recipe()),
            }
        )

    def save(self, path: Path) -> None:
        """Writes the settings as TOML, replacing the file as a whole."""
        write_atomically(path, self.toml())

    def toml(self) -> str:
        """The settings as TOML; those without a value are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @property
    def corpus(self) -> Corpus:
        """The corpus' facts."""
        return known_corpus(self.dataset)

    @property
    def public_corpus(self) -> Corpus | None:
        """The facts of the public corpus; None where there is none."""
        return None if self.public_dataset is None else known_corpus(self.public_dataset)

    def _find_public(self, root: Path | None) -> Path | None:
        """Where the public corpus is; None where it is nowhere.

        Args:
            root: where the corpus to be distilled is.

        Raises:
            CorpusError: nothing says where it is, or it is the corpus to be distilled.
        """
        corpus = self.public_corpus
        if corpus is None:
            return None
        found = find_root(corpus, self.public_root, "--public-root")
        same_folder = (found and found.resolve()) == (root and root.resolve())
        if corpus.name == self.corpus.name and (corpus.access != "own" or same_folder):
            raise not_apart(f"both are {corpus.title}" + (f" in {found}" if found else ""))
        return found

    @property
    def corpus_protocol(self) -> Protocol:
        """The protocol itself."""
        return protocol_of(self.corpus, self.protocol, self.data_root)

    @property
    def feature_name(self) -> str:
        """The name of the feature recipe."""
        default = FIRST_MINUTE["feature"] if self.corpus.access == "built-in" else "logmel64"
        return self.feature or default

    @property
    def spec(self) -> Representation:
        """The feature recipe itself."""
        return known_feature(self.feature_name)

    def build_loop(self) -> Loop:
        """The outer loop."""
        return changed("the outer loop", Loop(), self.loop)

    def build_parameterisation(self) -> Parameterisation:
        """What is learned."""
        whole = self.corpus.access == "built-in" and self.budget is None
        frames = self.parameterisation.get("frames")
        named = "slices" in self.parameterisation or frames == "means"
        untried = (
            self.budget is not None
            or self.task != "categorical"
            or not isinstance(self.spec, FeatureSpec)  # whose numbers may stand in any order
        )
        small = small_items(self.ipc, self.spec.frames, means=named or untried)
        usual = HALF_NUMBERS if self._decodes else {} if whole else small
        labels = TAUGHT if self._expert_by_default or self._answers_teach else {}
        if self._learns_labels_by_default:
            labels = LEARNED
        given = {**usual, **labels, **self.parameterisation}
        return changed("the parameterisation", Parameterisation(), given)

    @property
    def choice(self) -> Choice:
        """What "auto" stands for."""
        if self.budget is not None:
            return choose_private()
        parameterisation = self.build_parameterisation()
        if self.settings.get("checkpoints") == 1:
            return choose_untrained()
        learned = parameterisation.learns_labels
        if self.task != "categorical" and not self._hurried(SHORT):
            return choose_for_dimensions(parameterisation.slices > 1)
        emotions = len(self.corpus.emotions) or UNKNOWN_EMOTIONS
        items = parameterisation.per_class(self.ipc, self.spec, emotions)
        return choose(items, self.max_minutes, learned)

    @property
    def budget(self) -> PrivacyBudget | None:
        """What each fold's set may give away; None for no formal guarantee."""
        if self.epsilon is None:
            return None
        return PrivacyBudget(self.epsilon, self.delta, self.unit)

    def _require_budget(self) -> None:
        """Raises `UserError` if a budget is described and there is none."""
        names = ("delta", "unit", "units_at_least", "accept_low_utility")
        given = [
            f"--{name.replace('_', '-')}"
            for name in names
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.epsilon is None and given:
            raise UserError(
                f"{', '.join(given)}: part of a privacy budget, and there is none: give --epsilon, "
                f"or leave it out"
            )

    def _require_public(self) -> None:
        """Raises `UserError` if a public corpus is described and none is named."""
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("public_root", "public_label_map")
            if getattr(self, name)
        ]
        if self.public_dataset is None and given:
            raise UserError(
                f"{', '.join(given)}: of a public corpus, and none is named: give "
                f"--public-dataset, or leave it out"
            )

    def build_objective(self) -> Objective:
        """The objective with its settings."""
        return changed(self.objective, OBJECTIVES[self.objective](), self.settings)

    def build_native(self) -> Native:
        """How a native schedule is made, if one is."""
        wanted = (
            self._expert_by_default
            and not self._decodes
            and self.build_parameterisation().frames != "cosines"  # which bend too little for one
            and self.build_objective().starts_from != "random"
        )
        usual = Native(steps=NATIVE_STEPS if wanted else 0)
        return changed("the native schedule", usual, self.native)

    def build_expert(self) -> Expert:
        """How an expert learns, where there is one."""
        return changed("the expert", Expert(), self.expert)

    def build_disentangler(self) -> Disentangler | None:
        """What takes the speaker out of the speech, if anything does."""
        if self.disentangle is None:
            if self.disentangler:
                raise UserError(
                    f"settings of a disentangler, but none is named: give --disentangle "
                    f"({', '.join(DISENTANGLERS)}), or leave [disentangler] out"
                )
            return None
        if self.disentangle not in DISENTANGLERS:
            raise unknown_name("disentangler", self.disentangle, DISENTANGLERS)
        if self.speaker_penalty:
            raise speaker_penalty.after(self.disentangle)
        return changed(self.disentangle, DISENTANGLERS[self.disentangle](), self.disentangler)

    @property
    def _decodes(self) -> bool:
        """Whether a decoder makes the items."""
        return self.parameterisation.get("decoder", "none") != "none"

    def _hurried(self, least: float) -> bool:
        """Whether nothing is to be trained on the way: since that is asked, or for lack of time.

        Args:
            least: minutes that it takes.
        """
        short = self.max_minutes is not None and self.max_minutes < least
        return short or self.settings.get("checkpoints") == 1

    @property
    def _expert_by_default(self) -> bool:
        """Whether an expert is part of a run if nothing is said of it."""
        alone = self.objective != AUTO and has_schedule(self.build_objective())
        private = self.budget is not None
        return self.corpus.access != "built-in" and not (self._hurried(ENOUGH) or alone or private)

    @property
    def _usual_loop(self) -> dict[str, Any]:
        """Settings of the outer loop, where nothing is said of them."""
        if self.budget is not None:
            return PRIVATE_LOOP
        if self.corpus.access == "built-in":
            return dict(FIRST_MINUTE["loop"])
        return COSINES_LOOP if self.build_parameterisation().frames == "cosines" else {}

    @property
    def _learns_labels_by_default(self) -> bool:
        """Whether labels are learned, if nothing is said of them."""
        if self.task == "categorical" or self._hurried(SHORT) or self.budget is not None:
            return False
        return self.objective == AUTO or self.build_objective().learns_labels

    @property
    def _answers_teach(self) -> bool:
        """Whether the labels of a private set can come from what its objective was answered."""
        if self.budget is None:
            return False
        if self.objective == AUTO:
            return OBJECTIVES[self.choice.objective].teaches
        if self.objective not in OBJECTIVES or not OBJECTIVES[self.objective].teaches:
            return False
        return not has_schedule(self.build_objective())  # which is learned for other labels

    def build_recipe(self) -> Recipe:
        """How students are trained."""
        generic = RECIPES[self.student]
        assert isinstance(generic, Recipe)  # as every network's is
        return changed("the student's recipe", generic, self.recipe)


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"device '{name}' cannot be used here ({reason}): try auto or cpu"
        ) from error
    return name
