"""Sizes known before a run, to the last parameter, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.analysis.size import Estimate, estimate, target_faults
from core.errors import InputError
from core.families import family_of

MBERT = {"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12,
         "intermediate_size": 3072, "vocab_size": 119547, "max_position_embeddings": 512,
         "type_vocab_size": 2}  # fmt: skip
XLM_R = MBERT | {"model_type": "xlm-roberta", "vocab_size": 250002, "max_position_embeddings": 514,
                 "type_vocab_size": 1, "pad_token_id": 1}  # fmt: skip
DISTIL = {"model_type": "distilbert", "n_layers": 6, "dim": 768, "n_heads": 12, "hidden_dim": 3072,
          "vocab_size": 119547, "max_position_embeddings": 512}  # fmt: skip
PAPER = {"layers": 6, "feed_forward": 2048, "vocabulary": 40000}


def count(config: dict[str, Any], layers: int, d: int, inner: int, vocabulary: int) -> int:
    """Parameters of a BERT-type masked language model with tied embeddings, written out."""
    embeddings = (vocabulary + config["max_position_embeddings"] + config["type_vocab_size"]) * d + 2 * d
    attention = 4 * (d * d + d) + 2 * d
    feed_forward = d * inner + inner + inner * d + d + 2 * d
    head = d * d + d + 2 * d + vocabulary
    return embeddings + layers * (attention + feed_forward) + head


def plan(config: dict[str, Any], **targets: Any) -> Estimate:
    return estimate(config, **{"hidden_reduction": "truncate", "vocabulary_order": "first"} | targets)


def test_the_teachers_are_as_large_as_they_are() -> None:
    assert plan(XLM_R).teacher.parameters == 278_295_186 == count(XLM_R, 12, 768, 3072, 250002)
    assert plan(MBERT).teacher.parameters == 177_974_523 == count(MBERT, 12, 768, 3072, 119547)
    assert plan(XLM_R).teacher.megabytes == 1113.180744


@pytest.mark.parametrize("config", [MBERT, XLM_R], ids=["mbert", "xlm-r"])
@pytest.mark.parametrize("hidden", [564, 456, 312])
def test_the_papers_students_equal_the_arithmetic_and_the_built_model(config: dict[str, Any], hidden: int) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    student = plan(config, hidden=hidden, **PAPER).student
    assert student.parameters == count(config, 6, hidden, 2048, 40000)
    family = family_of(config)
    with torch.device("meta"):
        settings = config | family.config_changes(student.sizes)
        model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(**settings))
    assert sum(parameter.numel() for parameter in model.parameters()) == student.parameters
    assert student.sizes.heads == 12


def test_a_twelfth_of_xlm_r_is_left_at_312() -> None:
    result = plan(XLM_R, hidden=312, **PAPER)
    assert round(100 * result.student.parameters / result.teacher.parameters, 1) == 8.2
    assert result.compression == pytest.approx(1 - count(XLM_R, 6, 312, 2048, 40000) / 278_295_186)


@pytest.mark.parametrize("tied", [True, False])
def test_distilbert_and_untied_models_equal_the_built_model(tied: bool) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    for config in (DISTIL, MBERT, XLM_R):
        settings = {**config, "tie_word_embeddings": tied}
        with torch.device("meta"):
            model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(**settings))
        assert sum(parameter.numel() for parameter in model.parameters()) == plan(settings).teacher.parameters


def names(estimate: Estimate) -> list[str]:
    return [stage.name for stage in estimate.stages]


def test_the_stages_shrink_the_model_in_the_order_of_the_recipe() -> None:
    first = plan(XLM_R, hidden=312, adapted=True, **PAPER)
    assert [(stage.name, stage.size.parameters) for stage in first.stages] == [
        ("adapt", 278_295_186),
        ("vocabulary", count(XLM_R, 12, 768, 3072, 40000)),
        ("layers", count(XLM_R, 6, 768, 3072, 40000)),
        ("feed_forward", count(XLM_R, 6, 768, 2048, 40000)),
        ("hidden", count(XLM_R, 6, 312, 2048, 40000)),
        ("evaluate", count(XLM_R, 6, 312, 2048, 40000)),
    ]
    last = plan(XLM_R, hidden=312, vocabulary_order="last", **PAPER)
    assert [(stage.name, stage.size.parameters) for stage in last.stages] == [
        ("layers", count(XLM_R, 6, 768, 3072, 250002)),
        ("feed_forward", count(XLM_R, 6, 768, 2048, 250002)),
        ("hidden", count(XLM_R, 6, 312, 2048, 250002)),
        ("vocabulary", count(XLM_R, 6, 312, 2048, 40000)),
        ("evaluate", count(XLM_R, 6, 312, 2048, 40000)),
    ]
    assert first.student == last.student == last.stages[-1].size


def test_a_stage_that_changes_nothing_is_not_listed() -> None:
    assert names(plan(MBERT)) == ["evaluate"]
    assert plan(MBERT).student == plan(MBERT).teacher
    own = {"layers": 12, "feed_forward": 3072, "hidden": 768, "heads": 12, "vocabulary": 119547}
    assert names(plan(MBERT, **own)) == ["evaluate"]
    assert names(plan(MBERT, **own | {"layers": 11})) == ["layers", "evaluate"]


@pytest.mark.parametrize(
    ("vocabulary", "multiple", "size"),
    [(40_001, 8, 40_008), (40_000, 8, 40_000), (119_545, 8, 119_547), (9, 1024, 1024)],
)
def test_a_vocabulary_is_rounded_up_but_not_beyond_the_teachers(vocabulary: int, multiple: int, size: int) -> None:
    found = plan(MBERT, vocabulary=vocabulary, vocabulary_multiple=multiple)
    assert found.student.sizes.vocabulary == size
    assert found.student.parameters == count(MBERT, 12, 768, 3072, size)
    assert names(found) == (["vocabulary", "evaluate"] if size < 119_547 else ["evaluate"])


def test_a_vocabulary_of_a_size_to_be_counted_is_at_most_the_teachers() -> None:
    found = plan(MBERT, vocabulary_open=True, layers=6)
    assert names(found) == ["vocabulary", "layers", "evaluate"] and found.cuts_vocabulary
    assert found.student.parameters == count(MBERT, 6, 768, 3072, 119_547)
    assert names(plan(MBERT, vocabulary_open=True, layers=6, vocabulary_order="last")) == [
        "layers",
        "vocabulary",
        "evaluate",
    ]


def test_the_second_distillation_also_mends_a_feed_forward_cut() -> None:
    assert names(plan(MBERT, feed_forward=2048)) == ["feed_forward", "hidden", "evaluate"]


def test_whole_heads_stay_where_the_method_keeps_them() -> None:
    assert plan(MBERT, hidden=384, hidden_reduction="per_head").student.sizes.heads == 6
    assert plan(MBERT, hidden=384).student.sizes.heads == 12
    assert plan(MBERT, hidden=384, heads=6).student.sizes.heads == 6


def test_the_parts_add_up() -> None:
    student = plan(MBERT, hidden=312, **PAPER).student
    assert student.parts["embeddings"] == (40000 + 512 + 2) * 312 + 2 * 312
    assert student.parts["head"] == 312 * 312 + 312 + 2 * 312 + 40000
    assert sum(student.parts.values()) == student.parameters


def test_the_json_is_that_of_the_results() -> None:
    teacher, student = count(MBERT, 12, 768, 3072, 119547), count(MBERT, 6, 768, 3072, 119547)
    assert plan(MBERT, layers=6).to_json() == {
        "teacher": {"parameters": teacher, "megabytes": teacher * 4 / 1e6},
        "student": {"parameters": student, "megabytes": student * 4 / 1e6, "compression": 1 - student / teacher},
        "stages": [{"name": name, "parameters": student} for name in ("layers", "evaluate")],
    }


@pytest.mark.parametrize(
    ("targets", "problem", "hint"),
    [
        ({"layers": 13}, "targets.layers is 13, but it must be from 1 to 12", "Set targets.layers to 12."),
        ({"layers": 0}, "targets.layers is 0", "Set targets.layers to 1."),
        ({"feed_forward": 4096}, "targets.intermediate_size is 4096", "Set targets.intermediate_size to 3072."),
        ({"hidden": 1024}, "targets.hidden_size is 1024", "Set targets.hidden_size to 768."),
        ({"hidden": -1, "heads": 12}, "targets.hidden_size is -1", "Set targets.hidden_size to 1."),
        ({"hidden": 310}, "targets.hidden_size is 310", "Set targets.hidden_size to 300 or 312."),
        ({"vocabulary": 200000}, "targets.vocabulary_size is 200000", "Set targets.vocabulary_size to 119547."),
        ({"heads": 6}, "targets.attention_heads is 6", "Set targets.attention_heads to 12."),
    ],
)
def test_a_fault_names_key_value_and_nearest(targets: dict[str, int], problem: str, hint: str) -> None:
    teacher = family_of(MBERT).sizes(MBERT)
    (fault,) = target_faults(teacher, **targets, hidden_reduction="truncate")
    assert fault.problem.startswith(problem)
    assert fault.hint == hint
    assert fault.key == problem.partition(" ")[0]


def test_all_faults_come_at_once_and_good_targets_have_none() -> None:
    teacher = family_of(MBERT).sizes(MBERT)
    assert target_faults(teacher, hidden=312, **PAPER, hidden_reduction="truncate") == []
    with pytest.raises(InputError) as error:
        plan(MBERT, layers=13, feed_forward=0, hidden=310, vocabulary=0)
    assert len(error.value.faults) == 4


def test_it_needs_no_torch() -> None:
    code = "import sys, core.analysis.size; print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
