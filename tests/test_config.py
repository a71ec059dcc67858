"""The settings of a run: defaults < file < command line, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from distill.candidate import Parameterisation
from distill.config import RunConfig
from evaluation.students import RECIPES, Recipe, Setting
from synth_data.errors import UserError


def config_of(text: str, folder: Path, **given: object) -> RunConfig:
    path = folder / "some.toml"
    path.write_text(text)
    return RunConfig.of(path, given).resolved()


def test_the_command_line_overrides_the_file_and_the_file_the_defaults(tmp_path):
    text = "ipc = 3\nseed = 7\n[loop]\nsteps = 11\n"
    config = config_of(text, tmp_path, seed=8, student=None)
    assert (config.ipc, config.seed, config.student) == (3, 8, "tdnn")
    assert config.build_loop().steps == 11
    assert config.build_loop().initialisation == "real"


def test_the_command_line_changes_single_settings_of_a_files_tables(tmp_path):
    text = "[loop]\nsteps = 11\ninitialisation = 'noise'\n"
    config = config_of(text, tmp_path, loop={"initialisation": "herding", "noise": None})
    assert (config.build_loop().steps, config.build_loop().initialisation) == (11, "herding")
    with pytest.raises(UserError, match="loop: input should be a valid dictionary, found 3"):
        config_of("loop = 3", tmp_path, loop={"initialisation": "herding"})


def test_another_objective_than_the_files_has_settings_of_its_own(tmp_path):
    text = "objective = 'unrolled'\n[settings]\nwindow = 7\n"
    assert config_of(text, tmp_path, objective="unrolled").settings["window"] == 7
    other = config_of(text, tmp_path, objective="kernel")
    assert other.settings == config_of("", tmp_path, objective="kernel").settings
    with pytest.raises(UserError, match="unknown setting of kernel 'window'"):
        config_of("[settings]\nwindow = 7\n", tmp_path, objective="kernel")


def test_what_is_written_resolves_to_itself(tmp_path):
    schedules = "[{ steps = 5, learning_rate = 0.1 }, { steps = 7, learning_rate = 0.2 }]"
    config = config_of(f"fold = 'all'\n[recipe]\nschedules = {schedules}\n", tmp_path)
    config.save(tmp_path / "run.toml")
    again = RunConfig.of(tmp_path / "run.toml", {}).resolved()
    assert again.model_dump() == config.model_dump()
    assert [path.name for path in tmp_path.glob("run*")] == ["run.toml"]


def test_everything_resolved_is_written(tmp_path):
    config_of("", tmp_path).save(tmp_path / "run.toml")
    written = tomllib.loads((tmp_path / "run.toml").read_text())
    assert set(written) == set(RunConfig.model_fields) - {
        "data_root",  # the toy corpus has none
        "disentangle",  # nothing takes the speaker out
        "epsilon",  # nothing is guaranteed
        "max_minutes",  # as long as it takes
        "public_dataset",  # no public speech is used
        "public_recordings",
        "public_root",
        "recordings",  # a run knows them once it has read them
        "scale",  # no dimensions are told
        "units_at_least",  # as many as there are
    }
    assert set(written["settings"]) >= {"starts", "checkpoints", "augment"}


def test_the_recipe_is_the_students_own_but_for_what_is_given(tmp_path):
    text = "[recipe]\nweight_decay = 0.5\n[recipe.augment]\nbands = 3\n"
    config = config_of(f"dataset = 'emodb'\ndata_root = '{tmp_path}'\n{text}", tmp_path)
    recipe, generic = config.build_recipe(), RECIPES["tdnn"]
    assert isinstance(generic, Recipe)
    assert (recipe.weight_decay, recipe.augment.bands) == (0.5, 3)
    assert (recipe.batch, recipe.schedules) == (generic.batch, generic.schedules)
    assert recipe.augment.frames == generic.augment.frames


def test_the_recipe_of_a_published_network_is_its_own(tmp_path):
    text = f"student = 'cnn6'\ndataset = 'emodb'\ndata_root = '{tmp_path}'\n"
    assert config_of(text, tmp_path).build_recipe() == RECIPES["cnn6"] != RECIPES["tdnn"]


def test_the_first_minute_has_students_of_its_own(tmp_path):
    assert config_of("", tmp_path).build_recipe().settings == (Setting(150, 3e-3),)
    given = "[recipe]\nschedules = [{ steps = 4, learning_rate = 0.1 }]\n"
    assert config_of(given, tmp_path).build_recipe().settings == (Setting(4, 0.1),)


def test_the_root_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("EMODB_ROOT", str(tmp_path))
    assert RunConfig.of(None, {"dataset": "emodb"}).resolved().data_root == tmp_path


def test_full_runs_are_the_default_of_real_corpora(tmp_path):
    config = RunConfig.of(None, {"dataset": "emodb", "data_root": tmp_path}).resolved()
    assert (config.fold, config.feature) == ("all", "logmel64")
    assert config.protocol == "leave-one-speaker-out"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ipc = 'x'", "ipc: input should be a valid integer.*found 'x'"),
        ("ipc = 0", "ipc: input should be greater than or equal to 1, found 0"),
        ("seeds = 0", "seeds: input should be greater than or equal to 1, found 0"),
        ("fold = 0", "fold: should be a number from 1, all or none, found 0"),
        ("fold = 'some'", "fold: should be a number from 1, all or none, found 'some'"),
        ("loop = 3", "loop: input should be a valid dictionary, found 3"),
        ("icp = 3", "unknown setting 'icp': did you mean 'ipc'"),
        ("dataset = 'emdb'", "unknown corpus 'emdb': did you mean 'emodb'"),
        ("objective = 'gradient-maching'", "objective.*did you mean 'gradient-matching'"),
        ("feature = 'logmel46'", "unknown feature 'logmel46': did you mean 'logmel64'"),
        ("student = 'tdn'", "unknown student 'tdn': did you mean 'tdnn'"),
        ("protocol = 'leave-one-speakr-out'", "did you mean 'leave-one-speaker-out'"),
        ("device = 'abacus'", "device 'abacus' cannot be used here .*: try auto or cpu"),
        ("[loop]\nstep = 3", "unknown setting of the outer loop 'step': did you mean 'steps'"),
        ("[loop]\nsteps = 'x'", "the outer loop: steps: input should be a valid integer"),
        (
            "[loop]\ninitialisation = 'r'",
            "outer loop: unknown initialisation 'r'.* Known: real, k-m",
        ),
        ("[settings]\nstarts_from = 'zero'", "starts_from: input should be 'both', 'fixed' or 'r"),
        (
            "objective = 'distribution-matching'\n[parameterisation]\nlabels = 'soft'",
            "cannot learn labels: use hard labels, or taught ones where that is possible",
        ),
        (
            "objective = 'unrolled'\n[parameterisation]\nlabels = 'taught'",
            "unrolled learns a schedule for the labels that it sees, and taught ones come after",
        ),
        (
            "objective = 'distribution-matching'\n[parameterisation]\nlabels = 'refined'",
            "cannot learn labels: use hard labels, or taught ones where that is possible",
        ),
        (
            "[parameterisation]\nframes = 'cosines'",
            "the parameterisation: frames as cosines .* set slices to 2 or more",
        ),
        ("[parameterisation]\nframes = 'sines'", "frames: input should be 'means' or 'cosines'"),
        ("[parameterisation]\nslices = 1000", "1000 slices of .* frames leave nothing"),
        (
            "[parameterisation]\nnumbers = 'int3'",
            "numbers: input should be 'float32', 'flo",
        ),
        (
            "[settings]\nclassification = 1.0\ncheckpoints = 1",
            "^distribution-matching: the classification term .* set checkpoints to 2 or more",
        ),
        ("max_minutes = 0", "max_minutes: input should be greater than 0, found 0"),
        ("[settings]\nstart = 3", "of distribution-matching 'start': did you mean 'starts'"),
        ("[settings.augment]\nband = 3", "distribution-matching, augment 'band': .* 'bands'"),
        ("[settings]\naugment = 3", "augment: should be a table of settings, found 3"),
        ("[expert]\nstep = 3", "unknown setting of the expert 'step': did you mean 'steps'"),
        ("[recipe]\nbatches = 3", "of the student's recipe 'batches': did you mean 'batch'"),
        ("[loop]\nsteps = -1", "the outer loop: steps: input should be greater than or equal to 0"),
        ("[loop]\nlearning_rate = nan", "the outer loop: learning_rate: .* finite"),
        ("[settings]\nstarts = 0", "starts: input should be greater than or equal to 1, found 0"),
        ("[settings]\nsampling_probability = 0.0", "sampling_probability: .* greater than 0"),
        ("[settings.augment]\nframes = 2.0", "frames: input should be less than or equal to 1"),
        ("[recipe]\nsteps = 5", "setting of the student's recipe 'steps'.* Known: .*schedules"),
        ("[recipe]\nschedules = []", "recipe: schedules: .* at least 1 item"),
        (
            "[recipe]\nschedules = [{ steps = 0, learning_rate = 0.1 }]",
            "recipe: schedules.0.steps: input should be greater than or equal to 1, found 0",
        ),
        (
            "[recipe]\nschedules = [{ steps = 5, learning_rate = 0.0 }]",
            "schedules.0.learning_rate: input should be greater than 0, found 0",
        ),
        ("[recipe]\nschedules = [{ steps = 5 }]", "schedules.0.learning_rate: field required"),
        ("student = 'linear'", "unknown student 'linear'"),
        ("student = 'cnn6-bn'", "no set can be made for the student 'cnn6-bn': .* Use 'cnn6'"),
        ("ipc = ", "cannot be read as settings .*; give a TOML file"),
    ],
)
def test_wrong_settings(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        config_of(text, tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.toml: cannot be read as settings"):
        RunConfig.of(tmp_path / "none.toml", {})


def test_auto_is_what_was_measured(tmp_path):
    config = config_of("objective = 'auto'\n[settings]\nstarts = 3\n", tmp_path)
    assert config.objective == "distribution-matching"
    assert (config.settings["starts"], config.settings["checkpoints"]) == (3, 4)
    assert config.settings["classification"] == 0.5  # ten items of each class are few
    assert config_of("ipc = 12\n", tmp_path).settings["classification"] == 0.0
    assert (
        config_of("ipc = 3\n[parameterisation]\nslices = 4\n", tmp_path).settings["classification"]
        == 0.0
    )
    untrained = config_of("[settings]\ncheckpoints = 1\n", tmp_path)
    assert untrained.settings["classification"] == 0.0
    soft = "ipc = 20\n[parameterisation]\nlabels = 'soft'\n"
    assert config_of(soft, tmp_path).settings["classification"] == 0.5
    hurried = config_of("max_minutes = 0.5\n", tmp_path)
    assert hurried.settings["checkpoints"] == 1
    assert RunConfig().objective == "auto"
    named = config_of("objective = 'gradient-matching'\nmax_minutes = 0.5\n", tmp_path)
    assert (named.objective, named.settings["checkpoints"]) == ("gradient-matching", 4)


def test_sets_of_recordings_are_stored_small_unless_told_otherwise(tmp_path):
    real = f"dataset = 'emodb'\ndata_root = '{tmp_path}'\n"
    given = "[parameterisation]\nslices = 2\n"
    # As cosines; but not where slices are named, under a budget, or where dimensions are told.
    for ipc, slices in ((1, 16), (2, 8), (10, 8)):
        plain, named = (config_of(f"ipc = {ipc}\n{real}{said}", tmp_path) for said in ("", given))
        cosines = Parameterisation(slices, "int8", "taught", frames="cosines")
        assert plain.build_parameterisation() == cosines
        assert (plain.loop["steps"], plain.loop["learning_rate"]) == (200, 0.01)
        assert named.build_parameterisation() == Parameterisation(2, "int8", "taught")
        assert named.loop["steps"] == 600
        blurred = config_of(f"ipc = {ipc}\n{real}[parameterisation]\nframes = 'means'\n", tmp_path)
        assert blurred.build_parameterisation() == Parameterisation(4, "int8", "taught")
    longer = config_of(f"{real}[loop]\nsteps = 7\n", tmp_path)
    assert longer.loop["steps"] == 7
    private = config_of("ipc = 1\nepsilon = 8.0\n" + real, tmp_path).build_parameterisation()
    assert (private.frames, private.slices) == ("means", 4)
    felt = config_of("ipc = 1\ntask = 'dimensional'\n" + real, tmp_path).build_parameterisation()
    assert (felt.frames, felt.slices, felt.labels) == ("means", 4, "soft")
    other = config_of("feature = 'fbank80'\n" + real, tmp_path).build_parameterisation()
    assert (other.frames, other.slices) == ("means", 4)
    assert config_of("", tmp_path).build_parameterisation() == Parameterisation()


def test_sets_that_tell_dimensions_have_an_objective_and_labels_of_their_own(tmp_path):
    def of(text: str) -> tuple[str, str]:
        config = config_of(f"task = 'dimensional'\n{text}", tmp_path)
        return config.objective, config.build_parameterisation().labels

    assert of("") == ("gradient-matching", "soft")
    assert of("ipc = 20") == ("gradient-matching", "soft")
    assert of("objective = 'distribution-matching'") == ("distribution-matching", "hard")
    assert of("objective = 'released-moments'") == ("released-moments", "hard")
    assert of("max_minutes = 0.5") == ("distribution-matching", "hard")
    assert of("max_minutes = 1.0") == ("gradient-matching", "soft")
    assert of("[parameterisation]\nlabels = 'hard'") == ("gradient-matching", "hard")
    recordings = f"dataset = 'emodb'\ndata_root = '{tmp_path}'"
    assert of(recordings) == ("kernel", "soft")
    assert of(f"{recordings}\nobjective = 'released-moments'") == ("released-moments", "taught")
    assert of(f"epsilon = 8.0\n{recordings}") == ("released-moments", "taught")


def test_recordings_have_an_expert_where_there_is_use_and_time_for_one(tmp_path):
    def of(text: str, dataset: str = "emodb") -> tuple[int, str]:
        root = f"data_root = '{tmp_path}'" if dataset != "toy" else ""
        stored = "" if "[parameterisation]" in text else "[parameterisation]\nslices = 4\n"
        config = config_of(f"dataset = '{dataset}'\n{root}\n{text}\n{stored}", tmp_path)
        return config.build_native().steps, config.build_parameterisation().labels

    assert of("") == of("objective = 'gradient-matching'") == (3, "taught")
    assert of("max_minutes = 3.0") == (3, "taught")
    assert of("[settings]\nstarts_from = 'random'") == (0, "taught")
    assert of("[native]\nsteps = 0\n[parameterisation]\nlabels = 'hard'") == (0, "hard")
    without = (0, "hard")
    assert of("objective = 'unrolled'") == of("max_minutes = 2.9") == without
    assert of("[settings]\ncheckpoints = 1\none_release = true") == without
    assert of("", dataset="toy") == without
    # Cosines of low frequency have labels of experts, and bend too little for a schedule.
    assert of("[parameterisation]\nframes = 'cosines'") == (0, "taught")
    cosines = "[native]\nsteps = 2\n[parameterisation]\nframes = 'cosines'"
    assert of(cosines) == (2, "taught")
