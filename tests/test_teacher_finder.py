"""The teacher finder: counts that can be checked by hand, the order, and what is told where something lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import build
from toy_tokenizers import CYRILLIC, LATIN, byte_bpe, unigram, wordpiece
from toy_tokenizers import model as toy_model

from core import cli, teacher_finder
from core.context import Quiet
from core.errors import Fault, InputError, Stopped
from core.models import save
from core.teacher_finder import TEXTS, available_teachers, find_teachers, sample_texts
from core.vocabulary.fertility import fertility, word_cuts


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text("\n".join(LATIN), encoding="utf-8")
    return str(tmp_path / "text.txt")


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Toys of three kinds, the last without weights."""
    made = []
    for name, kind, tokenizer in (
        ("word", "bert", wordpiece),
        ("uni", "xlm-roberta", unigram),
        ("bytes", "roberta", byte_bpe),
    ):
        save(toy_model(kind, tokenizer(), tied=True), tmp_path / name)
        made.append(str(tmp_path / name))
    (tmp_path / "bytes" / "model.safetensors").unlink()
    return made


def test_every_teacher_is_tried_on_the_same_texts(corpus: str, folders: list[str], tmp_path: Path) -> None:
    (tmp_path / "uni" / "pretraining.json").write_text('{"tokens": {"slk": 2000000, "eng": 1}}')
    found = find_teachers([corpus], tmp_path, "slk", folders, Quiet())
    assert (found.language_name, found.texts) == ("Slovak", len(LATIN))
    assert found.words == sum(len(text.split()) for text in LATIN)
    by_name = {one.name: one for one in found.teachers}
    assert set(by_name) == {"word", "uni", "bytes"}
    assert [by_name[name].accuracy is None for name in ("word", "uni", "bytes")] == [False, False, True]
    assert by_name["bytes"].without == "its folder holds no weights in safetensors"
    assert all(0 <= by_name[name].accuracy <= 100 for name in ("word", "uni"))  # type: ignore[operator]
    assert by_name["uni"].volume_words == "saw 2.0 M tokens of Slovak in the text that uni lists"
    assert by_name["word"].volume is None and "isn't known" in by_name["word"].volume_words
    key = [(one.cuts.unknown_share > 0.01, one.cuts.tokens_a_word) for one in found.teachers]
    assert key == sorted(key)
    assert find_teachers([corpus], tmp_path, "slk", folders[::-1], Quiet()) == found


def test_a_teacher_that_cannot_spell_the_text_comes_last(folders: list[str], tmp_path: Path) -> None:
    (tmp_path / "strange.txt").write_text("\n".join(f"წიგნი {n} სახლი" for n in range(5)), encoding="utf-8")
    found = find_teachers(["strange.txt"], tmp_path, "kat", folders, Quiet())
    assert found.teachers[0].name == "bytes"  # it has a token for every byte, so many a word
    assert found.teachers[0].cuts.tokens_a_word > found.teachers[-1].cuts.tokens_a_word
    assert found.teachers[0].cuts.unknown == 0 < found.teachers[-1].cuts.unknown


def test_words_are_counted_as_the_trimming_counts_them(folders: list[str]) -> None:
    tokenizer, texts = wordpiece().backend_tokenizer, [*LATIN, *CYRILLIC, "中 中", "  "]
    unknown = tokenizer.token_to_id("[UNK]")
    cuts = word_cuts(tokenizer, unknown, texts, Quiet())
    same = fertility(tokenizer, tokenizer, (unknown, unknown), texts, Quiet())
    assert (cuts.words, cuts.tokens_a_word, cuts.unknown) == (same.words, same.before, same.unknown_before)
    letters = [word for text in texts for word in text.split() if word.isalpha()]
    split = 0
    for word in letters:
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        split += len(ids) > 1 or unknown in ids
    assert (cuts.letters, cuts.split) == (len(letters), split) and 0 < split < len(letters)
    nothing = word_cuts(tokenizer, unknown, [], Quiet())
    assert (nothing.tokens_a_word, nothing.unknown_share, nothing.split_share) == (0, 0, 0)


def test_the_sample_of_texts_is_bounded_and_does_not_hang_on_their_order(tmp_path: Path) -> None:
    lines = [f"sentenza numru {n} tajba" for n in range(2 * TEXTS)]
    (tmp_path / "a.txt").write_text("\n".join([*lines, *lines[:50], "12", "x" * 5000]), encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join(["x" * 5000, *reversed(lines)]), encoding="utf-8")
    one, other = (sample_texts([name], tmp_path, Quiet()) for name in ("a.txt", "b.txt"))
    assert one == other and len(one) == len(set(one)) == TEXTS
    assert max(map(len, one)) <= 2000
    assert set(one) != set(lines[:TEXTS])
    (tmp_path / "short.txt").write_text("ab\n12", encoding="utf-8")
    with pytest.raises(InputError, match="5 letters"):
        sample_texts(["short.txt"], tmp_path, Quiet())


def test_what_can_be_loaded_but_not_asked_says_why(corpus: str, tmp_path: Path) -> None:
    from core.models import load

    save(toy_model("bert", wordpiece(), tied=True), tmp_path / "whole")
    lm, _ = load(tmp_path / "whole")
    lm.model.get_submodule(lm.family.encoder).save_pretrained(tmp_path / "bare")  # type: ignore[operator]
    lm.tokenizer.save_pretrained(tmp_path / "bare")
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    found = find_teachers([corpus], tmp_path, "slk", ["bare", "broken"], Quiet())
    told = {one.name: one.without for one in found.teachers}
    assert told["bare"] == "It has no masked-language head." and "is not a safetensors file" in told["broken"]


def test_every_teacher_that_cannot_be_looked_at_is_named(corpus: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(build("bert", tied=True), tmp_path / "fine")
    with pytest.raises(InputError) as caught:
        find_teachers([corpus], tmp_path, "slk", ["nobody/has-this", "./nowhere", "empty", "fine"], Quiet())
    problems = [fault.problem for fault in caught.value.faults]
    assert len(problems) == 3 and "not on this machine" in problems[0] and "no config.json" in problems[2]
    with pytest.raises(InputError, match="no language"):
        find_teachers([corpus], tmp_path, "xyzzy", ["fine"], Quiet())


def test_a_teacher_whose_tokenizer_gets_lost_in_the_text_is_left_out(folders: list[str], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join([*LATIN, "bcdefghij" * 9]), encoding="utf-8")
    path = tmp_path / "word" / "tokenizer.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    lost = {"type": "Split", "pattern": {"Regex": "(?:[b-z]+[b-z]+)+1"}, "behavior": "Isolated", "invert": False}
    written["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [lost, written["pre_tokenizer"]]}
    path.write_text(json.dumps(written), encoding="utf-8")
    (tmp_path / "word" / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    left_out: list[Fault] = []
    models = [folders[0], folders[2]]
    found = find_teachers(["text.txt"], tmp_path, "slk", models, Quiet(), left_out)
    assert [one.name for one in found.teachers] == ["bytes"]
    assert "can't cut the text 'bcdefghij" in left_out[0].problem and left_out[0].problem.startswith(folders[0])
    with pytest.raises(InputError, match="can't cut the text"):
        find_teachers(["text.txt"], tmp_path, "slk", models, Quiet())


def test_without_names_those_that_are_here_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_teachers()[-1] == "sample"
    monkeypatch.setattr(teacher_finder, "on_this_machine", lambda name: name == "FacebookAI/xlm-roberta-base")
    assert available_teachers() == ["FacebookAI/xlm-roberta-base", "sample"]


def test_it_can_be_stopped(corpus: str, folders: list[str], tmp_path: Path) -> None:
    class Stop(Quiet):
        def __init__(self) -> None:
            self.told: list[tuple[int, int]] = []

        def progress(self, done: int, total: int) -> None:
            self.told.append((done, total))

        def check(self) -> None:
            if self.told and self.told[-1][0] == 3:
                raise Stopped

    ctx = Stop()
    with pytest.raises(Stopped):
        find_teachers([corpus], tmp_path, "slk", folders, ctx)
    assert ctx.told == [(1, 7), (2, 7), (3, 7)]


def test_the_command_shows_a_table_and_json(
    corpus: str, folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["teachers", "--corpus", corpus, "--language", "slk", *folders[1:]]
    assert cli.main(asked) == 0
    out = capsys.readouterr().out
    assert "tokens a word" in out and "bytes has no masked accuracy: its folder holds no weights" in out
    assert f"Measured on {len(LATIN)} texts" in out and "Masked accuracy doesn't sort them" in out
    assert cli.main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["language"], told["texts"], len(told["teachers"])) == ("slk", len(LATIN), 2)
    assert told["teachers"][0].keys() == {
        "model", "name", "parameters", "tokens_a_word", "unknown_tokens", "unknown_share", "split_share",
        "masked_accuracy", "without_accuracy", "volume", "volume_words",
    }  # fmt: skip
    assert cli.main(["teachers", "--corpus", "no.txt", "--language", "slk", folders[0]]) == 2
