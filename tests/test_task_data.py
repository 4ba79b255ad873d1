"""Loading of labelled data: every format, every kind of bad input."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InputError
from core.tasks.data import KINDS, TextExample, TokenExample, load_task, task_faults

TOPIC = {
    "train": "text\tlabel\nThe team won.\tsports\nThe vote is on.\tpolitics\n",
    "validation": "text\tlabel\nA goal.\tsports\n",
    "test": "text\tlabel\nA law.\tpolitics\n",
}
NER = {
    "train": "Ana\tB-PER\nBorg\tI-PER\nsleeps\tO\n\nIn\tO\nRabat\tB-LOC\n",
    "validation": "Rabat\tB-LOC\n",
    "test": "Ana\tB-PER\n",
}
WORD = "{}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_\n"
POS = {
    "train": "# text = a dog\n" + WORD.format(1, "a", "DET") + WORD.format(2, "dog", "NOUN") + "\n",
    "validation": WORD.format(1, "dog", "NOUN"),
    "test": WORD.format(1, "a", "DET"),
}


def write(folder: Path, suffix: str, splits: dict[str, str | bytes]) -> Path:
    for split, content in splits.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{split}{suffix}").write_bytes(data)
    return folder


def failure(folder: Path, kind: str, splits: dict[str, str | bytes]) -> str:
    """The message of loading, problem and hint."""
    write(folder, KINDS[kind].suffix, splits)
    with pytest.raises(InputError) as caught:
        load_task(kind, str(folder), Path("/"))
    return str(caught.value)


def test_texts_and_labels(tmp_path: Path) -> None:
    data = load_task("topic", write(tmp_path, ".tsv", TOPIC).name, tmp_path.parent)
    assert data.kind == "topic"
    assert data.labels == ("politics", "sports")
    assert data.train == (TextExample("The team won.", "sports"), TextExample("The vote is on.", "politics"))
    assert data.validation == (TextExample("A goal.", "sports"),)
    assert data.test == (TextExample("A law.", "politics"),)


def test_a_quotation_mark_and_foreign_line_separators_are_ordinary(tmp_path: Path) -> None:
    train = 'text\tlabel\n"He said\tsports\nno" \u2028 and\x0b on\tpolitics\n'
    data = load_task("topic", str(write(tmp_path, ".tsv", TOPIC | {"train": train})), tmp_path)
    assert [example.text for example in data.train] == ['"He said', 'no" \u2028 and\x0b on']


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    splits = {name: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for name, text in TOPIC.items()}
    assert load_task("topic", str(write(tmp_path, ".tsv", splits)), tmp_path).labels == ("politics", "sports")


def test_entities_close_the_label_set(tmp_path: Path) -> None:
    data = load_task("ner", str(write(tmp_path, ".bio", NER)), tmp_path)
    assert data.labels == ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
    assert data.train == (
        TokenExample(("Ana", "Borg", "sleeps"), ("B-PER", "I-PER", "O")),
        TokenExample(("In", "Rabat"), ("O", "B-LOC")),
    )


def test_an_entity_tag_that_train_lacks_is_fine_where_its_type_is_known(tmp_path: Path) -> None:
    splits = NER | {"test": "Santa\tB-LOC\nVenera\tI-LOC\n"}
    assert load_task("ner", str(write(tmp_path, ".bio", splits)), tmp_path).test[0].labels == ("B-LOC", "I-LOC")


def test_conllu_skips_comments_ranges_and_empty_nodes(tmp_path: Path) -> None:
    train = (
        "# sent_id = 1\n" + WORD.format("1-2", "fil-", "_") + WORD.format(1, "fi", "ADP") + WORD.format(2, "il-", "DET")
        + WORD.format("2.1", "x", "_") + WORD.format(3, "#", "SYM") + WORD.format(4, "10 000", "NUM") + "\n \n"
        + WORD.format(1, "a", "DET") + WORD.format(2, "dog", "NOUN")
    )  # fmt: skip
    data = load_task("pos", str(write(tmp_path, ".conllu", POS | {"train": train})), tmp_path)
    assert data.train == (
        TokenExample(("fi", "il-", "#", "10 000"), ("ADP", "DET", "SYM", "NUM")),
        TokenExample(("a", "dog"), ("DET", "NOUN")),
    )


def test_conll_columns_documents_and_spaces_in_tokens(tmp_path: Path) -> None:
    splits = NER | {
        "validation": "-DOCSTART- -X- -X- O\n\nAna NNP B-NP B-PER\n2\u00a0000  CD I-NP O \n\n-DOCSTART- -X- O O\n",
        "test": "10 000\tCD\tO\nRabat\tNNP\tB-LOC\n",
    }
    data = load_task("ner", str(write(tmp_path, ".bio", splits)), tmp_path)
    assert data.validation == (TokenExample(("Ana", "2\u00a0000"), ("B-PER", "O")),)
    assert data.test == (TokenExample(("10 000", "Rabat"), ("O", "B-LOC")),)
    assert data.notes == ()


def test_other_schemes_are_read_as_iob2_and_told(tmp_path: Path) -> None:
    splits = NER | {"validation": "In\tO\nRabat\tI-LOC\n", "test": "Ana\tB-PER\nBorg\tE-PER\nRabat\tS-LOC\n"}
    data = load_task("ner", str(write(tmp_path, ".bio", splits)), tmp_path)
    assert [example.labels for example in data.validation + data.test] == [("O", "B-LOC"), ("B-PER", "I-PER", "B-LOC")]
    assert [note.partition(" is tagged in ")[2][:5] for note in data.notes] == ["IOB1;", "BIOES"]


def test_labels_that_are_odd_but_usable_are_told(tmp_path: Path) -> None:
    train = TOPIC["train"] + "A bus.\ttravel\nA train.\tTravel\n"
    data = load_task("topic", str(write(tmp_path, ".tsv", TOPIC | {"train": train})), tmp_path)
    alike, unseen = data.notes
    assert "train.tsv has the labels 'Travel' and 'travel'; they count as two" in alike
    assert "test.tsv has no example of Travel, sports, travel" in unseen


HEAD = "text\tlabel\n"


@pytest.mark.parametrize(
    ("kind", "splits", "message"),
    [
        ("topic", TOPIC | {"train": "sentence\tlabel\na\tb\n"}, r"train.tsv, line 1: the header is 'sentence\\tlabel'"),
        ("topic", TOPIC | {"train": ""}, "train.tsv, line 1: the header is ''"),
        ("topic", TOPIC | {"train": HEAD + "a\tx\nb c\n"}, "train.tsv, line 3: 1 column, not 2"),
        ("topic", TOPIC | {"test": HEAD + "a\tb\tpolitics\n"}, "test.tsv, line 2: 3 columns, not 2"),
        ("topic", TOPIC | {"train": HEAD + "a\tx\n\nb\ty\n"}, "line 3: 1 column"),
        ("topic", TOPIC | {"train": HEAD + " \tx\n"}, "line 2: the text is empty"),
        ("topic", TOPIC | {"train": HEAD + "a\t \n"}, "line 2: the label is empty"),
        ("topic", TOPIC | {"train": HEAD + "a\tx\nb\tx\n"}, "train.tsv has only the label 'x'"),
        ("topic", TOPIC | {"validation": HEAD}, "validation.tsv holds no examples"),
        (
            "topic",
            TOPIC | {"test": HEAD + "a\tsports\nb\ttravel\nc\ttravel\n"},
            "test.tsv, line 3: the label 'travel' does not occur in .*train.tsv. .*politics, sports",
        ),
        ("topic", TOPIC | {"train": HEAD.encode() + b"a\tx\n\xe4\tx\n"}, "train.tsv, line 3: this is not UTF-8"),
        ("ner", NER | {"train": "Ana\n"}, "train.bio, line 1: 1 column, not 2"),
        ("ner", NER | {"train": "Ana NN B-PER\nin O\n"}, "train.bio, line 2: 2 columns, but line 1 has 3"),
        ("ner", NER | {"train": "in\tO\n\tO\n"}, "train.bio, line 2: the token is empty"),
        ("ner", NER | {"train": "in\tO\nAna\t \n"}, "train.bio, line 2: the tag is empty"),
        ("ner", NER | {"train": "in\tO\n\nAna\tPER\n"}, "train.bio, line 3: 'PER' is no entity tag"),
        ("ner", NER | {"train": "Ana\tB-PER\n\nBorg\tI-PER\n"}, "line 3: I-PER follows O, .*tags here are IOB2"),
        ("ner", NER | {"train": "Ana\tB-PER\nRabat\tI-LOC\n"}, "line 2: I-LOC follows B-PER"),
        ("ner", NER | {"train": "Ana\tB-PER\nsleeps\tO\n", "test": "X\tB-LOC\n"}, "line 1: the label 'B-LOC'"),
        ("topic", TOPIC | {"test": HEAD + "a\tSports \n"}, "line 2: the label 'Sports' is written 'sports' in .*train"),
        ("topic", TOPIC | {"test": HEAD + "a\t0\nb\t1\n"},
         r"test.tsv is labelled with numbers \(0, 1\), .*train.tsv with names \(politics, sports\)"),
        ("topic", TOPIC | {"train": HEAD + "a\t0\nb\t-1\n"}, r"validation.tsv is labelled with names \(sports\), "),
        ("topic", TOPIC | {"test": HEAD + "a\t0\nb\tsports\n"}, "line 2: the label '0' does not occur"),
        ("ner", NER | {"test": "Ana\tB-Per\n"}, "test.bio, line 1: the label 'B-Per' is written 'B-PER'"),
        ("pos", POS | {"train": "1\tdog\tNOUN\n"}, "train.conllu, line 1: 3 columns, not 10"),
        ("pos", POS | {"train": WORD.format("a", "dog", "NOUN")}, "line 1: 'a' is no word number"),
        ("pos", POS | {"train": "# x\n" + WORD.format(1, "dog", "_")}, "line 2: the part of speech is missing"),
        ("pos", POS | {"train": WORD.format(1, "", "NOUN")}, "line 1: the word is missing"),
        ("pos", POS | {"test": "# only a comment\n"}, "test.conllu holds no examples"),
        ("pos", POS | {"test": "# y\n" + WORD.format(1, "x", "NOUM")}, "test.conllu, line 2: the label 'NOUM'"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, kind: str, splits: dict[str, str | bytes], message: str) -> None:
    import re

    assert re.search(message, failure(tmp_path, kind, splits))


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    splits: dict[str, str | bytes] = {"train": "x\ty\n", "validation": HEAD + "a\n"}
    failure(tmp_path, "topic", splits)
    faults = [fault.problem for fault in task_faults("topic", str(tmp_path), tmp_path)]
    assert len(faults) == 3
    assert "train.tsv, line 1" in faults[0]
    assert "validation.tsv, line 2" in faults[1]
    assert "holds no test.tsv" in faults[2]


def test_a_token_task_with_text_files(tmp_path: Path) -> None:
    write(tmp_path, ".tsv", TOPIC)
    faults = task_faults("ner", str(tmp_path), tmp_path)
    assert "holds train.tsv, but no train.bio" in faults[0].problem
    assert "train.bio, validation.bio, test.bio" in faults[0].hint


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*nowhere"):
        load_task("topic", "nowhere", tmp_path)
    with pytest.raises(InputError, match="no kind of task 'parsing'"):
        load_task("parsing", str(tmp_path), tmp_path)
    with pytest.raises(InputError, match="sample has no tasks in the language 'xxx'"):
        load_task("topic", "sample", tmp_path, "xxx")


def test_no_faults(tmp_path: Path) -> None:
    assert task_faults("topic", str(write(tmp_path, ".tsv", TOPIC)), tmp_path) == []
    assert task_faults("topic", "hub:Davlan/sib200:mlt_Latn", tmp_path) == []


def test_loading_files_needs_neither_torch_nor_datasets() -> None:
    code = "import sys, core.tasks.data; print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"
