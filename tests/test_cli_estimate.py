"""The command `estimate`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import RECIPE, told
from conftest import build
from toy_tokenizers import LATIN, kind, model, wordpiece

from core import cli
from core import recipe as recipes
from core.compression.vocabulary import cut_vocabulary
from core.context import Quiet
from core.corpus.prepare import prepare
from core.models import LanguageModel, save
from core.vocabulary.choosing import Wanted, choose_tokens
from core.vocabulary.trimming import count_corpus

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("own_places")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_estimate_gives_the_sizes_of_results(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    sizes = json.loads(capsys.readouterr().out)
    assert sizes["teacher"] == {"parameters": 278_295_186, "megabytes": 1113.180744}
    assert sizes["student"]["parameters"] == 22_812_688
    assert sizes["student"]["compression"] == 1 - 22_812_688 / 278_295_186
    assert [stage["name"] for stage in sizes["stages"]] == [
        "vocabulary",
        "layers",
        "feed_forward",
        "hidden",
        "evaluate",
    ]
    assert sizes["stages"][-1]["parameters"] == 22_812_688


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("bert-base-multilingual-cased", 177_974_523),
        ("google-bert/bert-base-multilingual-cased", 177_974_523),
        ("FacebookAI/xlm-roberta-base", 278_295_186),
        ("xlm-roberta-large", 560_142_482),
        ("distilbert-base-multilingual-cased", 135_445_755),
    ],
)
def test_known_teachers_need_no_download(
    model: str, parameters: int, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", model))
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    sizes = json.loads(capsys.readouterr().out)
    assert (sizes["teacher"]["parameters"], sizes["student"]["compression"]) == (parameters, 0.0)


def test_estimate_reads_a_local_folders_configuration(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lm = build("distilbert", tied=True)
    lm.model.config.save_pretrained(tmp_path / "teacher")
    recipe.write_text(RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", "./teacher"))
    assert cli.main(["estimate", str(recipe), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["teacher"]["parameters"] == sum(lm.parameters.values())


def test_estimate_refuses_what_cannot_be_all_at_once(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RECIPE.replace("layers = 6", "layers = 13").replace("40000", "250003").replace('"mlt"', '"mt"')
    recipe.write_text(text)
    assert cli.main(["estimate", str(recipe)]) == 2
    errors = "\n".join(told(capsys))
    assert all(
        words in errors for words in ("targets.layers is 13", "targets.vocabulary_size is 250003", "'mt'", '"mlt"')
    )


def test_estimate_imports_nothing_heavy(recipe: Path) -> None:
    heavy = {
        "torch",
        "transformers",
        "tokenizers",
        "datasets",
        "numpy",
        "sklearn",
        "huggingface_hub",
        "PySide6",
        "iso639",
    }
    code = (
        "import sys; from core.cli import main; status = main(['estimate', sys.argv[1]]);"
        f"sys.exit(status or ' '.join({heavy!r} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(recipe)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "22.8 M" in ended.stdout


@pytest.fixture
def counted(recipe: Path, tmp_path: Path) -> tuple[Path, LanguageModel]:
    """A recipe for a toy teacher whose corpus can't fill the vocabulary that is asked for."""
    lm = model("bert", wordpiece(), tied=True)
    save(lm, tmp_path / "teacher")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("\n".join(LATIN), encoding="utf-8")
    base = RECIPE[: RECIPE.index("[targets]")].replace("xlm-roberta-base", "teacher")
    recipe.write_text(base + f"[targets]\nvocabulary_size = {lm.sizes.vocabulary - 1}\n", encoding="utf-8")
    return recipe, lm


def test_counting_gives_the_vocabulary_that_the_run_will_have(
    counted: tuple[Path, LanguageModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    assert cli.main(["estimate", str(path), "--json"]) == 0
    as_asked = json.loads(capsys.readouterr().out)["student"]["parameters"]
    assert cli.main(["estimate", str(path), "--json", "--count"]) == 0
    as_built = json.loads(capsys.readouterr().out)["student"]["parameters"]

    assert as_built == parameters_of_the_run(path, lm, tmp_path) < as_asked


def parameters_of_the_run(path: Path, lm: LanguageModel, folder: Path) -> int:
    """How large the model is once the vocabulary is cut as the recipe says."""
    recipe = recipes.load(path)
    corpus = prepare(recipe.corpus, folder, recipe.seed, folder / "corpus", Quiet())
    counts = count_corpus(corpus, lm.tokenizer.backend_tokenizer, folder, Quiet())
    targets = recipe.targets
    wanted = Wanted(
        size=targets.vocabulary_size, coverage=targets.vocabulary_coverage, multiple=targets.vocabulary_multiple
    )
    kept = choose_tokens(kind(lm.tokenizer), counts, wanted).kept
    return sum(cut_vocabulary(lm, kept).parameters.values())


@pytest.mark.parametrize("multiple", [1, 8])
def test_a_coverages_size_is_an_upper_bound_until_it_is_counted(
    multiple: int, counted: tuple[Path, LanguageModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    text = path.read_text(encoding="utf-8").replace(f"vocabulary_size = {lm.sizes.vocabulary - 1}", "")
    path.write_text(f"{text}vocabulary_coverage = 0.9\nvocabulary_multiple = {multiple}\n", encoding="utf-8")
    assert cli.main(["estimate", str(path), "--json"]) == 0
    told, complained = capsys.readouterr()
    bound = json.loads(told)
    assert bound["student"]["parameters"] == bound["teacher"]["parameters"] == sum(lm.parameters.values())
    assert [stage["name"] for stage in bound["stages"]] == ["vocabulary", "evaluate"]
    assert cli.main(["estimate", str(path), "--json", "--count"]) == 0
    exact = json.loads(capsys.readouterr().out)
    assert exact["student"]["parameters"] == parameters_of_the_run(path, lm, tmp_path)
    assert exact["student"]["parameters"] < bound["student"]["parameters"]
    assert [stage["name"] for stage in exact["stages"]] == ["vocabulary", "evaluate"]
    assert "--count" in complained, "that the sizes are upper bounds is told"


def test_counting_refuses_a_vocabulary_without_room_for_the_alphabet(
    counted: tuple[Path, LanguageModel], capsys: pytest.CaptureFixture[str]
) -> None:
    path, lm = counted
    path.write_text(path.read_text(encoding="utf-8").replace(str(lm.sizes.vocabulary - 1), "12"), encoding="utf-8")
    assert cli.main(["estimate", str(path), "--count"]) == 2
    assert "A vocabulary of 12 is too small" in told(capsys)[0]
