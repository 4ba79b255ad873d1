"""Labelled sets of the hub, which is stubbed: the layouts that the real ones have, and everything that may be amiss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Sequence, Value
from datasets.exceptions import DatasetNotFoundError

from core.errors import InputError
from core.known_data import known_sets
from core.tasks.data import TaskData, TextExample, TokenExample, load_task, task_faults
from core.tasks.hub import full_source, parse_source

SPLITS = ("train", "validation", "test")
Fill = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Makes the hub hold the same columns in all splits, or fail; gives what it is asked for."""

    def fill(columns=None, features=None, names=SPLITS, error=None) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []

        def as_dataset() -> datasets.DatasetDict:
            split = datasets.Dataset.from_dict(columns, features=datasets.Features(features) if features else None)
            return datasets.DatasetDict({name: split for name in names})

        def load_builder(name: str, config: str | None) -> Any:
            asked.append((name, config))
            if error is not None:
                raise error
            config_of = SimpleNamespace(data_files={"train": [f"hf://datasets/{name}@0a1b2c/train.parquet"]})
            ready = {"download_and_prepare": lambda: None, "as_dataset": as_dataset}
            return SimpleNamespace(repo_id=name, config=config_of, **ready)

        monkeypatch.setattr(datasets, "load_dataset_builder", load_builder)
        return asked

    return fill


def load_hub(kind: str, source: str = "hub:a/b:mt", language: str = "mlt") -> TaskData:
    return load_task(kind, source, Path("/"), language)


STRINGS = Sequence(Value("string"))

# The layouts of the real sets


def test_sib200(hub: Fill) -> None:
    asked = hub({"index_id": [0, 1], "category": ["travel", "health"], "text": ["x", "y "]})
    data = load_hub("topic", "hub:Davlan/sib200")
    assert asked == [("Davlan/sib200", "mlt_Latn")]
    assert data.train == (TextExample("x", "travel"), TextExample("y", "health"))


def test_wikiann(hub: Fill) -> None:
    tags = Sequence(ClassLabel(names=["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]))
    features = {"tokens": STRINGS, "ner_tags": tags, "langs": STRINGS, "spans": STRINGS}
    columns = {"tokens": [["In", "Santa", "Venera"]], "ner_tags": [[0, 5, 6]], "langs": [["mt"] * 3], "spans": [["x"]]}
    asked = hub(columns, features, names=(*SPLITS, "extra"))
    data = load_hub("ner", "hub:unimelb-nlp/wikiann")
    assert asked == [("unimelb-nlp/wikiann", "mt")]
    assert data.train == (TokenExample(("In", "Santa", "Venera"), ("O", "B-LOC", "I-LOC")),)
    assert data.notes == ()


def test_universal_dependencies_as_parquet(hub: Fill) -> None:
    mwt = [{"id": Value("string"), "form": Value("string"), "feats": Value("string"), "misc": Value("string")}]
    features = {"sent_id": Value("string"), "tokens": STRINGS, "upos": STRINGS, "mwt": mwt}
    columns = {"sent_id": ["1"], "tokens": [["fil", "dar"]], "upos": [["ADP", "NOUN"]],
               "mwt": [[{"id": "1-2", "form": "fid-dar", "feats": None, "misc": None}]]}  # fmt: skip
    asked = hub(columns, features)
    data = load_hub("pos", "hub:commul/universal_dependencies")
    assert asked == [("commul/universal_dependencies", "mt_mudt")]
    assert data.test == (TokenExample(("fil", "dar"), ("ADP", "NOUN")),)


def test_rows_of_multiword_tokens_are_left_out(hub: Fill) -> None:
    tags = Sequence(ClassLabel(names=["NOUN", "ADP", "_"]))
    columns = {"tokens": [["fid-dar", "fil", "dar"], ["x"]], "upos": [[2, 1, 0], [2]]}
    hub(columns, {"tokens": STRINGS, "upos": tags})
    assert load_hub("pos").train == (TokenExample(("fil", "dar"), ("ADP", "NOUN")),)
    hub({"tokens": [["fid-dar", "fil", "dar"]], "upos": [[None, "ADP", "NOUN"]]})
    assert load_hub("pos").train == (TokenExample(("fil", "dar"), ("ADP", "NOUN")),)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Makes plain files hold something, the same in all splits; gives the addresses that are asked for."""

    def fill(content: str | datasets.Dataset) -> dict[str, str]:
        asked: dict[str, str] = {}

        def fetch(addresses: dict[str, str]) -> dict[str, Path]:
            asked.update(addresses)
            return dict.fromkeys(addresses, path)

        path = tmp_path / ("0000.parquet" if isinstance(content, datasets.Dataset) else "train.txt")
        if isinstance(content, datasets.Dataset):
            content.to_parquet(path)
        else:
            path.write_text(content, encoding="utf-8")
        monkeypatch.setattr("core.tasks.hub.fetch", fetch)
        return asked

    return fill


def test_masakhane_from_its_plain_files(files: Callable[..., dict[str, str]]) -> None:
    asked = files("Katika ADP\nKenya PROPN\n\n10\u00a0000 NUM\n")
    data = load_hub("pos", "hub:masakhane/masakhapos", "swh")
    assert list(asked) == list(SPLITS)
    assert asked["validation"].startswith("https://") and asked["validation"].endswith("/data/swa/dev.txt")
    assert data.train == (TokenExample(("Katika", "Kenya"), ("ADP", "PROPN")), TokenExample(("10\u00a0000",), ("NUM",)))
    files("Tshisekedi B-PER\nwa O\nUmoja B-ORG\nwa I-ORG\n\nyaya I-LOC\n")
    data = load_hub("ner", "hub:masakhane/masakhaner2:swa")
    assert [example.labels for example in data.train] == [("B-PER", "O", "B-ORG", "I-ORG"), ("B-LOC",)]
    told = "hub:masakhane/masakhaner2:swa (train) that IOB2 doesn't allow where they stand: 1. The first is in line 6"
    assert told in data.notes[0]
    files("Katika\n")
    with pytest.raises(InputError, match=r"masakhapos:swa \(train\), line 1: 1 column"):
        load_hub("pos", "hub:masakhane/masakhapos:swa")


def test_a_plain_file_that_is_no_text(files: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    files("")
    (tmp_path / "train.txt").write_bytes(b"Ana NOUN\n\xe4 NOUN\n")
    with pytest.raises(InputError, match="line 2: this is not UTF-8") as caught:
        load_hub("pos", "hub:masakhane/masakhapos:swa")
    assert "can't be loaded" not in str(caught.value)


def test_afrisenti_from_the_hubs_own_conversion(files: Callable[..., dict[str, str]]) -> None:
    features = datasets.Features(
        {"tweet": Value("string"), "label": ClassLabel(names=["positive", "neutral", "negative"])}
    )
    asked = files(datasets.Dataset.from_dict({"tweet": ["nzuri", "mbaya"], "label": [0, 2]}, features=features))
    data = load_hub("sentiment", "hub:shmuhammad/AfriSenti-twitter-sentiment", "swh")
    assert asked["test"].endswith("@refs/convert/parquet/swa/test/0000.parquet")
    assert data.train == (TextExample("nzuri", "positive"), TextExample("mbaya", "negative"))


def test_the_sentiment_collection(hub: Fill) -> None:
    asked = hub({"text": ["tajjeb", "ħażin"], "label": [1, 0]})
    data = load_hub("sentiment", "hub:DGurgurov/maltese_sa")
    assert asked == [("DGurgurov/maltese_sa", None)]
    assert data.labels == ("0", "1") and data.train[0] == TextExample("tajjeb", "1")


def test_a_set_that_is_not_known(hub: Fill) -> None:
    hub({"sentence": ["x", "y"], "label": [1, 0]}, {"sentence": Value("string"), "label": ClassLabel(names=["n", "p"])},
        names=("train", "dev", "test"))  # fmt: skip
    assert load_hub("sentiment").validation == (TextExample("x", "p"), TextExample("y", "n"))


# Names


def test_source_names() -> None:
    assert parse_source("hub:a/b") == ("a/b", None)
    assert parse_source("hub:a/b:c") == ("a/b", "c")
    for bad in ("hub:", "hub:a/b:", "hub:a/b:c:d", "hub:/abs/path", "hub:../x", "hub:a/b/c", "hub:./a", "hub:a b"):
        with pytest.raises(InputError, match="does not name a labelled data set"):
            parse_source(bad)
        assert task_faults("topic", bad, Path("/"))


@pytest.mark.parametrize(
    ("kind", "source", "language", "full"),
    [
        ("topic", "hub:Davlan/sib200", "mlt", "hub:Davlan/sib200:mlt_Latn"),
        ("topic", "hub:Davlan/sib200", "ekk", "hub:Davlan/sib200:est_Latn"),
        ("ner", "hub:unimelb-nlp/wikiann", "slk", "hub:unimelb-nlp/wikiann:sk"),
        ("ner", "hub:unimelb-nlp/wikiann", "yue", "hub:unimelb-nlp/wikiann:zh-yue"),
        ("ner", "hub:masakhane/masakhaner2", "swh", "hub:masakhane/masakhaner2:swa"),
        ("pos", "hub:commul/universal_dependencies", "slk", "hub:commul/universal_dependencies:sk_snk"),
        ("pos", "hub:commul/universal_dependencies:en_gum", "eng", "hub:commul/universal_dependencies:en_gum"),
        ("sentiment", "hub:DGurgurov/slovak_sa", "slk", "hub:DGurgurov/slovak_sa"),
        ("topic", "hub:a/b", "mlt", "hub:a/b"),
        ("topic", "sample", "mlt", "sample"),
        ("topic", "some/folder", "mlt", "some/folder"),
    ],
)  # fmt: skip
def test_a_configuration_is_found_by_language(kind: str, source: str, language: str, full: str) -> None:
    assert full_source(kind, source, language) == full
    assert task_faults(kind, full, Path("/"), language) == [] or not full.startswith("hub:")


@pytest.mark.parametrize(
    ("kind", "source", "language", "message"),
    [
        ("ner", "hub:unimelb-nlp/wikiann", "pcm",
         r'WikiANN has no data in Nigerian Pidgin \(pcm\). \(There is "hub:masakhane/masakhaner2:pcm" in this'),
        ("ner", "hub:unimelb-nlp/wikiann", "apc", r"the related Standard Arabic \(arb\), Egyptian Arabic \(arz\)\."),
        ("pos", "hub:masakhane/masakhapos", "mlt", '"hub:commul/universal_dependencies:mt_mudt" in this language'),
        ("ner", "hub:masakhane/masakhaner2", "tlh", "has 20 other languages. Or give a folder"),
        ("topic", "hub:Davlan/sib200", "xyzzy", "no data in 'xyzzy'"),
        ("topic", "hub:Davlan/sib200", "ace", "more than once. .*sib200:ace_Arab\" or \"hub:Davlan/sib200:ace_Latn"),
        ("pos", "hub:universal-dependencies/universal_dependencies:mt_mudt", "mlt",
         'script would have to run.*"hub:commul/universal_dependencies:mt_mudt": Universal Dependencies as plain'),
        ("sentiment", "hub:HausaNLP/AfriSenti-Twitter", "hau", '"hub:shmuhammad/AfriSenti-twitter-sentiment"'),
        ("ner", "hub:Davlan/sib200", "mlt", r"'Davlan/sib200' \(SIB-200\) is no data of the kind ner.*to \"topic\""),
        ("topic", "hub:wikimedia/wikipedia", "mlt", "is no data of the kind topic"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_the_hub_is_asked(kind: str, source: str, language: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        full_source(kind, source, language)
    assert task_faults(kind, source, Path("/"), language)


def test_every_known_task_set_can_be_asked_for(hub: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first language's source, as the window offers it, leads to a request that names nothing but it."""
    asked = hub(error=ConnectionError("offline"))

    def fetch(addresses: dict[str, str]) -> None:
        asked.append(tuple(addresses.values()))
        raise ConnectionError("offline")

    monkeypatch.setattr("core.tasks.hub.fetch", fetch)
    for known in known_sets():
        if known.kind == "corpus":
            continue
        code, configurations = next(iter(known.configurations.items()))
        with pytest.raises(InputError, match="can't be reached"):
            load_hub(known.kind, known.source.format(configurations[0]), code)
        assert configurations[0] in str(asked[-1]) and "{" not in str(asked[-1])


# What may be amiss


@pytest.mark.parametrize(
    ("kind", "columns", "message"),
    [
        ("topic", {"title": ["x"], "label": ["a"]}, "columns title, label; the task topic wants text or sentence"),
        ("pos", {"tokens": [["x"]], "xpos": [["N"]]}, "columns tokens, xpos; the task pos wants tokens, and upos"),
        ("topic", {"text": ["x", " "], "label": ["a", "b"]}, r"\(train\), line 2: the text or its label is missing"),
        ("topic", {"text": ["x", "y"], "label": ["a", None]}, "line 2: the text or its label is missing"),
        ("pos", {"tokens": [["x", "y"]], "upos": [["N"]]}, "line 1: tokens and tags are not lists of one length"),
        ("ner", {"tokens": [["x"]], "ner_tags": [[None]]}, "line 1: a token or its tag is missing"),
        ("ner", {"tokens": [["x"]], "ner_tags": [["LOC"]]}, "line 1: 'LOC' is no entity tag"),
    ],
)  # fmt: skip
def test_layouts_that_are_unknown(hub: Fill, kind: str, columns: dict[str, Any], message: str) -> None:
    hub(columns)
    with pytest.raises(InputError, match=message):
        load_hub(kind)


def test_a_known_set_whose_columns_have_changed(files: Callable[..., dict[str, str]]) -> None:
    files(datasets.Dataset.from_dict({"text": ["x"], "label": ["a"]}))
    with pytest.raises(InputError, match="columns text, label; the task sentiment wants tweet, and label"):
        load_hub("sentiment", "hub:shmuhammad/AfriSenti-twitter-sentiment:swa")


def test_withheld_labels_are_no_labels(hub: Fill) -> None:
    hub({"text": ["x", "y"], "label": [0, -1]}, {"text": Value("string"), "label": ClassLabel(names=["n", "p"])})
    with pytest.raises(InputError, match="line 2: the text or its label is missing"):
        load_hub("topic")


def test_withheld_labels_without_names_are_none_either(hub: Fill) -> None:
    hub({"text": ["x", "y"], "label": [1, -1]})
    with pytest.raises(InputError, match="line 2: the text or its label is missing"):
        load_hub("topic")
    hub({"tokens": [["x", "y"]], "upos": [[0, -1]]}, {"tokens": STRINGS, "upos": Sequence(ClassLabel(names=["N"]))})
    with pytest.raises(InputError, match="line 1: a token or its tag is missing"):  # and no multiword token
        load_hub("pos")


CLASSES = Sequence(ClassLabel(names=["n", "p"]))


@pytest.mark.parametrize(
    ("kind", "columns", "features", "message"),
    [
        ("topic", {"text": ["x"], "label": [[0]]}, {"text": Value("string"), "label": CLASSES},
         r"hub:a/b:mt \(train\), line 1: the column 'label' holds a label of the type list"),
        ("topic", {"text": ["x"], "label": [["x", "y"]]}, None, "the column 'label' holds a label of the type list"),
        ("topic", {"text": ["x"], "label": [{"k": 1}]}, None, "the column 'label' holds a label of the type dict"),
        ("topic", {"text": ["x"], "label": [b"x"]}, None, "the column 'label' holds a label of the type bytes"),
        ("topic", {"text": ["x"], "label": [float("nan")]}, None, "the column 'label' holds a label of the type float"),
        ("topic", {"text": ["x"], "label": [" "]}, None, "line 1: the text or its label is missing"),
        ("ner", {"tokens": [["x"]], "ner_tags": [[["O"]]]}, None, "column 'ner_tags' holds a label of the type list"),
        ("ner", {"tokens": [[1]], "ner_tags": [["O"]]}, None, "the column 'tokens' holds a token of the type int"),
        ("ner", {"tokens": [[["x"]]], "ner_tags": [["O"]]}, None, "column 'tokens' holds a token of the type list"),
        ("pos", {"tokens": [[{"k": "x"}]], "upos": [["N"]]}, None, "column 'tokens' holds a token of the type dict"),
        ("pos", {"tokens": [["x", "\u2003"]], "upos": [["N", "N"]]}, None, "line 1: a token or its tag is missing"),
        ("pos", {"tokens": [["x"]], "upos": [[" "]]}, None, "line 1: a token or its tag is missing"),
    ],
)  # fmt: skip
def test_what_is_no_label_or_no_token_is_refused(
    hub: Fill, kind: str, columns: dict[str, Any], features: dict[str, Any] | None, message: str
) -> None:
    hub(columns, features)
    with pytest.raises(InputError, match=message):
        load_hub(kind)


def test_labels_are_words_numbers_or_truth_values(hub: Fill) -> None:
    for labels, names in ((["a ", "\tb"], ("a", "b")), ([3, 0], ("3", "0")), ([True, False], ("True", "False"))):
        hub({"text": ["x", "y"], "label": labels})
        assert tuple(example.label for example in load_hub("topic").train) == names


def test_failures(hub: Fill) -> None:
    hub({"text": ["x"], "label": ["a"]}, names=("train",))
    with pytest.raises(InputError, match="has no validation split; it has: train"):
        load_hub("topic")
    for error, message in (
        (ConnectionError("Couldn't reach"), "its server can't be reached"),
        (DatasetNotFoundError("no"), "The hub has no data set 'a/b'"),
        (ValueError("BuilderConfig 'mt' not found"), "can't be loaded: BuilderConfig 'mt' not found"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), "script would have to run.*Parquet"),
    ):
        hub(error=error)
        with pytest.raises(InputError, match=message):
            load_hub("topic")


def test_a_wrong_configuration_of_a_known_set_is_told_with_near_ones(hub: Fill) -> None:
    hub(error=ValueError("BuilderConfig 'mlt' not found"))
    with pytest.raises(InputError, match="Known configurations: mlt_Latn, "):
        load_hub("topic", "hub:Davlan/sib200:mlt")
