from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from core import recipe as recipes
from core.corpus.reading import files_of
from core.errors import InputError
from core.recipe import (
    Corpus,
    Language,
    Method,
    Recipe,
    Schedule,
    Targets,
    Task,
    Teacher,
    absolute,
    parse,
    settings,
)
from core.recipe_text import reasons_in, to_toml

LEAST = """
[teacher]
model = "sample"
[language]
code = "mlt"
[corpus]
sources = ["sample"]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert all(fault.hint for fault in caught.value.faults)
    return [fault.problem for fault in caught.value.faults]


def hints(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text)
    return "\n".join(fault.hint for fault in caught.value.faults)


def with_lines(table: str, lines: str) -> str:
    head = f"[{table}]\n"
    return LEAST.replace(head, f"{head}{lines}\n") if head in LEAST else f"{LEAST}{head}{lines}\n"


# -- defaults and presets --------------------------------------------------------------------------------------------


def test_the_least_recipe_gets_the_documented_defaults() -> None:
    recipe = parse('name = "x"\n' + LEAST)
    assert recipe == Recipe(
        name="x", teacher=Teacher(model="sample"), language=Language(code="mlt"), corpus=Corpus(sources=("sample",))
    )
    assert (recipe.seed, recipe.corpus.limit, recipe.corpus.max_length) == (42, 100_000, 256)
    assert (recipe.schedule.distil_steps, recipe.schedule.batch_tokens, recipe.method.alpha) == (2000, 8192, "auto")
    assert (recipe.corpus.least_letters, recipe.corpus.other_scripts) == (5, "drop")
    assert (recipe.targets.vocabulary_coverage, recipe.targets.vocabulary_multiple) == (None, 1)
    assert (recipe.method.vocabulary_frequency, recipe.method.vocabulary_words) == ("document", None)


def test_a_recipe_without_a_name_is_called_after_its_language() -> None:
    assert parse(LEAST).name.startswith("mlt-")


def test_a_preset_sets_what_the_recipe_does_not() -> None:
    paper = parse(with_lines("method", 'preset = "paper"'))
    assert (paper.method.hidden_reduction, paper.method.vocabulary_order) == ("truncate", "last")
    assert (paper.corpus.max_length, paper.schedule.batch_tokens, paper.schedule.warmup_fraction) == (512, 2048, 0.0)
    steps = [
        parse(with_lines("method", f'preset = "{name}"')).schedule.distil_steps for name in ("fast", "balanced", "best")
    ]
    assert steps == sorted(set(steps))


def test_the_recipe_wins_over_its_preset() -> None:
    recipe = parse(with_lines("method", 'preset = "paper"\nkd_loss = "kl"') + "[schedule]\nlearning_rate = 1\n")
    assert (recipe.method.kd_loss, recipe.schedule.learning_rate) == ("kl", 1.0)


def test_tasks_are_called_after_their_kind() -> None:
    recipe = parse(LEAST + '[[tasks]]\nkind = "ner"\nsource = "sample"\n')
    assert (recipe.tasks[0].name, recipe.tasks[0].seeds) == ("ner", (1, 2, 3))


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        (LEAST + "[schedul]\n", "unknown key schedul.", "'schedule'"),
        (with_lines("corpus", "limits = 1"), "unknown key corpus.limits.", "'limit'"),
        (with_lines("targets", "layers = 0"), "targets.layers is 0.", "nearest: 1"),
        (with_lines("targets", "layers = 2.5"), "targets.layers is 2.5.", "a whole number"),
        (with_lines("targets", "layers = true"), "targets.layers is True.", "a whole number"),
        (with_lines("targets", 'layers = "6"'), "targets.layers is '6'.", "a whole number"),
        (with_lines("targets", f"layers = {10**30}"), "targets.layers is a whole number of more than 64", "at least 1"),
        (with_lines("schedule", f"learning_rate = {10**400}"), "more than 64 bits", "above 0"),
        (with_lines("schedule", "learning_rate = nan"), "schedule.learning_rate is nan.", '"auto"'),
        (with_lines("schedule", "learning_rate = inf"), "schedule.learning_rate is inf.", '"auto"'),
        (with_lines("schedule", "learning_rate = 0"), "schedule.learning_rate is 0.", "a little above 0"),
        (with_lines("schedule", "learning_rate = 'fast'"), "schedule.learning_rate is 'fast'.", '"auto"'),
        (with_lines("corpus", "validation_fraction = 0.6"), "validation_fraction is 0.6.", "nearest: 0.5"),
        (with_lines("method", "alpha = 1.5"), "method.alpha is 1.5.", "nearest: 1"),
        (with_lines("method", 'preset = "beste"'), "method.preset is 'beste'.", "'best'"),
        (with_lines("method", 'preset = ["best"]'), "method.preset is ['best'].", "paper"),
        (f"seed = {2**32}\n{LEAST}", f"seed is {2**32}.", f"nearest: {2**32 - 1}"),
        (f'name = "a/b"\n{LEAST}', "name is 'a/b'.", "letters"),
        (f'name = ".."\n{LEAST}', "name is '..'.", "letters"),
        (f'teacher = "sample"\n{LEAST.replace("[teacher]", "[other]")}', "teacher is 'sample'.", "[teacher]"),
        (LEAST.replace('["sample"]', "[]"), "corpus.sources is [].", "at least one"),
        (LEAST.replace('["sample"]', '"sample"'), "corpus.sources is 'sample'.", "list"),
        (LEAST.replace('["sample"]', '["a", "a"]'), "corpus.sources names something twice", "once"),
        (LEAST.replace('["sample"]', '["a", " "]'), "corpus.sources[1] is ' '.", "text"),
        (LEAST + "[tasks]\nkind = 'ner'\n", "tasks is {'kind': 'ner'}.", "[[tasks]]"),
        (LEAST + '[[tasks]]\nkind = "nerd"\nsource = "x"\n', "tasks[0].kind is 'nerd'.", "'ner'"),
        (LEAST + '[[tasks]]\nkind = "ner"\n', "lacks tasks[0].source.", "Add it"),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\n' * 2, "Two tasks are called 'ner'.", "tasks[1]"),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\nseeds = [1, -1]\n', "tasks[0].seeds[1] is -1.", "nearest: 0"),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\nfolds = 1\n', "tasks[0].folds is 1.", "2 or more, or 0"),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\nfolds = 21\n', "tasks[0].folds is 21.", "nearest: 20"),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\nfolds = "all"\n', "tasks[0].folds is 'all'.", '"auto"'),
        ("", "lacks teacher.model.", "Add it"),
        (with_lines("corpus", "least_letters = -1"), "corpus.least_letters is -1.", "nearest: 0"),
        (with_lines("corpus", 'other_scripts = "hide"'), "corpus.other_scripts is 'hide'.", "keep"),
        (with_lines("targets", "vocabulary_coverage = 0"), "vocabulary_coverage is 0.", "a little above 0"),
        (with_lines("targets", "vocabulary_coverage = 99.9"), "vocabulary_coverage is 99.9.", "nearest: 1"),
        (with_lines("targets", "vocabulary_multiple = 0"), "vocabulary_multiple is 0.", "nearest: 1"),
        (with_lines("targets", "vocabulary_multiple = 1025"), "vocabulary_multiple is 1025.", "nearest: 1024"),
        (with_lines("targets", "vocabulary_multiple = 8.0"), "vocabulary_multiple is 8.0.", "a whole number"),
        (with_lines("method", 'vocabulary_frequency = "tokens"'), "frequency is 'tokens'.", "'token'"),
        (with_lines("method", 'vocabulary_words = " "'), "method.vocabulary_words is ' '.", "text"),
        (
            with_lines("targets", "vocabulary_size = 9\nvocabulary_coverage = 0.9"),
            "both targets.vocabulary_size and targets.vocabulary_coverage.",
            "Leave one",
        ),
    ],
)
def test_a_fault_names_key_value_and_what_to_do(text: str, problem: str, hint: str) -> None:
    assert problem in "\n".join(problems(text))
    assert hint in hints(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("seeds = 3\n[schedul]\n" + LEAST, {"seeds", "schedul"}),
        (with_lines("corpus", "limits = 1\nmax_length = 1"), {"corpus.limits", "corpus.max_length"}),
        (LEAST.replace('["sample"]', '["a", " "]'), {"corpus.sources"}),
        (LEAST.replace('code = "mlt"', ""), {"language.code"}),
        ("method = 1\n" + LEAST, {"method"}),
        (LEAST + "[tasks]\n", {"tasks"}),
        (LEAST + '[[tasks]]\nkind = "ner"\n[[tasks]]\nkind = 1\nsource = "x"\n', {"tasks[0].source", "tasks[1].kind"}),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\n' * 2, {"tasks[1].name"}),
        (LEAST + '[[tasks]]\nkind = "ner"\nsource = "x"\nfolds = 1\n', {"tasks[0].folds"}),
        (with_lines("targets", "vocabulary_size = 9\nvocabulary_coverage = 1"), {"targets.vocabulary_coverage"}),
        (with_lines("targets", "vocabulary_size = 0\nvocabulary_coverage = 1"), {"targets.vocabulary_size"}),
        ("x", {""}),
    ],
)
def test_a_fault_says_which_key_it_is_about(text: str, keys: set[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert {fault.key for fault in caught.value.faults} == keys


def test_all_faults_are_told_at_once() -> None:
    text = 'seeds = 3\n[teacher]\nadapt_steps = -1\n[language]\n[method]\nalpha = "half"\n[[tasks]]\nkind = 3\n'
    found = problems(text)
    wanted = (
        "seeds",
        "teacher.adapt_steps",
        "teacher.model",
        "language.code",
        "corpus.sources",
        "method.alpha",
        "tasks[0].kind",
    )
    assert all(any(key in problem for problem in found) for key in wanted)


@pytest.mark.parametrize("text", ["= 1", "a = 1\na = 2", "seed = " + "9" * 5000, "a = " + "[" * 3000, "a = 1979-13-40"])
def test_what_is_not_toml_is_a_fault_of_the_input(text: str) -> None:
    assert "is not TOML" in problems(text)[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no recipe"):
        recipes.load(tmp_path / "no.toml")
    with pytest.raises(InputError, match="can't be read"):
        recipes.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe6"')
    with pytest.raises(InputError, match=r"not UTF-8 \(byte 8\)"):
        recipes.load(tmp_path / "latin.toml")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(LEAST, encoding="utf-8-sig")
    assert recipes.load(tmp_path / "r.toml").language.code == "mlt"


@pytest.mark.parametrize("name", ["Malti żgħir", "हिन्दी", "עברית", "می‌خواهم", "a.b-c_1"])
def test_a_name_can_be_of_any_script(name: str) -> None:
    assert parse(f'name = "{name}"\n{LEAST}').name == name


# -- writing and reading back ----------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)
NAMES = st.text("abcżहि 1._-", min_size=1, max_size=80).filter(lambda name: name.strip(" .-"))
SIZES = st.none() | st.integers(1, 2**40)
RATES = st.just("auto") | st.floats(0, exclude_min=True, allow_infinity=False)


def recipe_strategy() -> st.SearchStrategy[Recipe]:
    task = st.builds(
        Task,
        kind=st.sampled_from(recipes.TASK_KINDS),
        source=TEXTS,
        name=NAMES,
        seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True).map(tuple),
        learning_rate=RATES,
        batch_size=st.just("auto") | st.integers(1, 2**40),
    )
    return st.builds(
        Recipe,
        name=NAMES,
        seed=st.integers(0, 2**32 - 1),
        teacher=st.builds(Teacher, model=TEXTS, adapt_steps=st.integers(0, 10**6)),
        language=st.builds(Language, code=TEXTS),
        corpus=st.builds(
            Corpus,
            sources=st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(tuple),
            least_letters=st.integers(0, 99),
            other_scripts=st.sampled_from(("drop", "keep")),
        ),
        targets=st.builds(Targets, layers=SIZES, hidden_size=SIZES, vocabulary_size=SIZES)
        | st.builds(
            Targets, vocabulary_coverage=st.floats(0, 1, exclude_min=True), vocabulary_multiple=st.integers(1, 1024)
        ),
        method=st.builds(
            Method,
            preset=st.sampled_from(("paper", "best")),
            layer_selection=st.sampled_from(recipes.LAYER_SELECTIONS),
            feed_forward_score=st.sampled_from(recipes.FEED_FORWARD_SCORES),
            hidden_reduction=st.sampled_from(recipes.HIDDEN_REDUCTIONS),
            rounds=st.just("auto") | st.integers(1, 8),
            alpha=st.floats(0, 1),
            hidden_weight=st.just("auto") | st.floats(0, 1e6),
            vocabulary_frequency=st.sampled_from(recipes.VOCABULARY_FREQUENCIES),
            vocabulary_words=st.none() | TEXTS,
        ),
        schedule=st.builds(Schedule, learning_rate=RATES, warmup_fraction=st.floats(0, 1)),
        tasks=st.lists(task, max_size=3, unique_by=lambda made: made.name).map(tuple),
    )


@examples(max_examples=50, deadline=None)
@given(recipe_strategy())
def test_what_is_written_reads_back_the_same(recipe: Recipe) -> None:
    assert parse(to_toml(recipe)) == recipe
    reasons = {"method.alpha": "A reason.", "corpus.sources": "Another.", "schedule.patience": 'With "marks" = [x].'}
    assert parse(to_toml(recipe, reasons)) == recipe
    assert reasons_in(to_toml(recipe, reasons)) == reasons


@examples(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
    )
)
def test_any_content_is_read_or_refused(content: dict[str, object]) -> None:
    with pytest.raises(InputError):  # at least the teacher lacks
        recipes.from_mapping({**content, "teacher": {}})


def test_settings_are_flat() -> None:
    recipe = parse(with_lines("targets", "layers = 6") + '[[tasks]]\nname = "names"\nkind = "ner"\nsource = "sample"\n')
    found = settings(recipe)
    assert (found["targets.layers"], found["tasks.names.epochs"], found["seed"]) == (6, 20, 42)


# -- paths -----------------------------------------------------------------------------------------------------------


def test_paths_become_absolute_and_names_stay(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    text = LEAST.replace('["sample"]', '["texts/*.txt", "hub:a/b:c", "sample", "/abs.txt"]')
    text = text.replace('model = "sample"', 'model = "model"') + '[[tasks]]\nkind = "ner"\nsource = "data/ner"\n'
    recipe = absolute(parse(text), tmp_path)
    assert recipe.teacher.model == str(tmp_path / "model")
    assert recipe.corpus.sources == (str(tmp_path / "texts/*.txt"), "hub:a/b:c", "sample", "/abs.txt")
    assert recipe.tasks[0].source == str(tmp_path / "data/ner")
    assert recipe.method.vocabulary_words is None
    assert absolute(recipe, tmp_path / "elsewhere") == recipe
    recipe = absolute(parse(with_lines("method", 'vocabulary_words = "lists/words.txt"')), tmp_path)
    assert recipe.method.vocabulary_words == str(tmp_path / "lists/words.txt")
    assert absolute(recipe, tmp_path / "elsewhere") == recipe


def test_a_folder_with_brackets_is_no_part_of_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, other = tmp_path / "[old] project", tmp_path / "o project"
    for folder in (base, other):
        folder.mkdir()
        for name in ("a.txt", "b[1].txt"):
            (folder / name).write_text("one")
    (other / "gone.txt").write_text("another's")
    monkeypatch.setenv("HOME", str(base))
    monkeypatch.setenv("USERPROFILE", str(base))
    sources = '["*.txt", "~/a*", "b[1].txt", "b*", "gone.txt"]'
    recipe = absolute(parse(LEAST.replace('["sample"]', sources)), base)
    assert absolute(recipe, other) == absolute(parse(to_toml(recipe)), other) == recipe
    *found, gone = recipe.corpus.sources
    a, b = base / "a.txt", base / "b[1].txt"
    assert [files_of(source, other) for source in found] == [[a, b], [a], [b], [b]]
    with pytest.raises(InputError, match=re.escape(f"no file or folder {base / 'gone.txt'}")):
        files_of(gone, other)
    (base / "gone.txt").write_text("back")
    assert files_of(gone, other) == [base / "gone.txt"]


@pytest.mark.parametrize("model", ["xlm-roberta-base", "org/name", "sample", "~nobody-has-this-name/x", "x" * 5000])
def test_a_teacher_that_is_no_folder_here_stays_as_it_is(model: str, tmp_path: Path) -> None:
    recipe = parse(LEAST.replace('"sample"\n[language]', f'"{model}"\n[language]'))
    assert absolute(recipe, tmp_path).teacher.model == model


def test_relative_bases_are_taken_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = absolute(parse(LEAST.replace('["sample"]', '["a.txt"]')), Path("sub"))
    assert recipe.corpus.sources == (str(tmp_path / "sub" / "a.txt"),)
