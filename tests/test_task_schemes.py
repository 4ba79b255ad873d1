"""Tag schemes of named entities: told apart, turned into IOB2, refused or mended where they are broken."""

from __future__ import annotations

import random

import pytest

from core.errors import InputError
from core.tasks.examples import Placed, TokenExample
from core.tasks.schemes import to_iob2

SENTENCES = [
    "B-PER I-PER O B-LOC B-LOC",
    "O O",
    "B-LOC B-PER I-PER B-PER I-PER I-PER",
]
"""In IOB2; with entities of one type side by side, and of two."""
WRITTEN = {
    "IOB1": ["I-PER I-PER O I-LOC B-LOC", "O O", "I-LOC I-PER I-PER B-PER I-PER I-PER"],
    "BIOES": ["B-PER E-PER O S-LOC S-LOC", "O O", "S-LOC B-PER E-PER B-PER I-PER E-PER"],
    "BILOU": ["B-PER L-PER O U-LOC U-LOC", "O O", "U-LOC B-PER L-PER B-PER I-PER L-PER"],
}
"""The same in the other schemes, written out by hand."""


def placed(sentences: list[str]) -> list[Placed[TokenExample]]:
    """Sentences of these tags, one line a token, an empty line after each."""
    made, line = [], 1
    for sentence in sentences:
        tags = tuple(sentence.split())
        made.append(Placed(TokenExample(("x",) * len(tags), tags), tuple(range(line, line + len(tags)))))
        line += len(tags) + 1
    return made


def tags(sentences: list[str], *, mend: bool = False) -> tuple[list[str], list[str]]:
    found, notes = to_iob2("train", placed(sentences), mend=mend)
    assert [each.lines for each in found] == [each.lines for each in placed(sentences)]
    return [" ".join(each.example.tags) for each in found], notes


def test_iob2_stays_as_it_is() -> None:
    given = placed(SENTENCES)
    found, notes = to_iob2("train", given, mend=False)
    assert all(one is other for one, other in zip(found, given, strict=True))
    assert notes == []


@pytest.mark.parametrize("scheme", WRITTEN)
@pytest.mark.parametrize("mend", [False, True])
def test_other_schemes_mean_the_same(scheme: str, mend: bool) -> None:
    assert tags(WRITTEN[scheme], mend=mend) == (SENTENCES, [f"train is tagged in {scheme}; it is read as IOB2."])


@pytest.mark.parametrize("scheme", ["IOB1", "BIOES", "BILOU"])
def test_random_entities_survive_the_way_there_and_back(scheme: str) -> None:
    rng = random.Random(3)
    sentences = [[(rng.choice(["O", "PER", "LOC"]), rng.randint(1, 3)) for _ in range(6)] for _ in range(40)]
    spans = [(kind, length if kind != "O" else 1) for sentence in sentences for kind, length in sentence]
    assert {kind for kind, _ in spans} == {"O", "PER", "LOC"}

    def write(sentence: list[tuple[str, int]], name: str) -> str:
        out: list[str] = []
        for kind, length in sentence:
            before = out[-1][2:] if out else ""
            if kind == "O":
                out.append("O")
                continue
            marks = "B" + "I" * (length - 1)
            if name == "IOB1" and before != kind:
                marks = "I" * length
            if name in ("BIOES", "BILOU"):
                end, single = ("E", "S") if name == "BIOES" else ("L", "U")
                marks = single if length == 1 else "B" + "I" * (length - 2) + end
            out += [f"{mark}-{kind}" for mark in marks]
        return " ".join(out)

    expected = [write(sentence, "IOB2") for sentence in sentences]
    assert tags([write(sentence, scheme) for sentence in sentences])[0] == expected


def test_only_o_is_iob2() -> None:
    assert tags(["O O", "O"]) == (["O O", "O"], [])


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (["O PER"], "train, line 2: 'PER' is no entity tag. .*BIOES and BILOU"),
        (["O", "O B- O"], "line 4: 'B-' is no entity tag"),
        (["B-PER", "X-PER"], "line 3: 'X-PER' is no entity tag"),
        (["B-PER O I-PER"], r"line 3: I-PER follows O, but in IOB2 an entity begins with B-PER. \(Most of the tags"),
        (["B-PER I-LOC O B-LOC"], "line 2: I-LOC follows B-PER"),
        (["I-PER O I-LOC", "O B-PER"], "line 6: B-PER follows O, but in IOB1 an entity begins with I-PER"),
        (["S-PER O", "B-PER O"], "line 5: O follows B-PER, but BIOES ends an entity with E-PER"),
        (["S-PER O", "O B-PER"], "line 5: the end of the sentence follows B-PER, but BIOES ends"),
        (["U-PER B-PER I-LOC L-LOC"], "line 3: I-LOC follows B-PER, but BILOU ends an entity with L-PER"),
        (["S-PER I-PER E-PER"], "line 2: I-PER follows S-PER, but in BIOES an entity begins with B-PER or S-PER"),
        (["O E-PER"], "line 2: E-PER follows O, but in BIOES an entity begins with B-PER or S-PER"),
        (["U-PER O", "S-PER O"], "line 4: S-PER stands beside U-PER, a tag of another scheme"),
    ],
)
def test_broken_sequences_are_refused_at_their_line(sentences: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tags(sentences)


def test_broken_sequences_are_mended_as_seqeval_reads_them_and_told() -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    sentences = ["B-PER O I-PER I-PER", "B-LOC I-PER", "B-LOC O I-LOC"]
    found, (note,) = tags(sentences, mend=True)
    assert found == ["B-PER O B-PER I-PER", "B-LOC B-PER", "B-LOC O B-LOC"]
    for given, mended in zip(sentences, found, strict=True):
        assert get_entities(given.split()) == get_entities(mended.split())
    assert "where they stand: 3. The first is in line 3: I-PER follows O" in note
    assert tags(["S-PER B-PER", "O E-LOC"], mend=True)[0] == ["B-PER B-PER", "O B-LOC"]


def test_what_is_no_tag_is_never_mended() -> None:
    with pytest.raises(InputError, match="is no entity tag"):
        tags(["B-PER", "PER"], mend=True)
