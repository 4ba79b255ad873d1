from __future__ import annotations

import pytest

from core.corpus.reading import corpus_faults
from core.known_data import KnownData, known_corpora, known_set, known_sets, known_tasks
from core.languages import all_languages
from core.tasks.hub import parse_source
from core.tasks.kinds import KINDS

EVERYTHING = [data for known in known_sets() for code in known.configurations for data in known.in_language(code)]


def test_what_there_is_for_maltese() -> None:
    assert [data.source for data in known_corpora("mlt")] == [
        "hub:cis-lmu/GlotCC-V1:mlt-Latn:content",
        "hub:wikimedia/wikipedia:20231101.mt:text",
    ]
    assert [(data.kind, data.source) for data in known_tasks("mlt")] == [
        ("topic", "hub:Davlan/sib200:mlt_Latn"),
        ("sentiment", "hub:DGurgurov/maltese_sa"),
        ("ner", "hub:unimelb-nlp/wikiann:mt"),
        ("pos", "hub:commul/universal_dependencies:mt_mudt"),
    ]
    assert {data.code for data in known_corpora("mlt") + known_tasks("mlt")} == {"mlt"}


def test_what_there_is_for_swahili() -> None:
    assert [data.source for data in known_tasks("swh") if data.kind != "topic"] == [
        "hub:shmuhammad/AfriSenti-twitter-sentiment:swa",
        "hub:DGurgurov/swahili_sa",
        "hub:unimelb-nlp/wikiann:sw",
        "hub:masakhane/masakhaner2:swa",
        "hub:masakhane/masakhapos:swa",
    ]


def test_a_set_is_found_by_every_name_it_has() -> None:
    for data in EVERYTHING:
        known = known_set(data.source.split(":")[1])
        assert known is not None and data in known.in_language(data.code)
    copied = known_set("universal-dependencies/universal_dependencies")
    assert copied is not None and copied.name == "commul/universal_dependencies"
    assert known_set("a/b") is None


def test_plain_files_are_named_for_every_split() -> None:
    for known in known_sets():
        if known.files:
            assert list(known.files) == ["train", "validation", "test"]
            assert all(address.count("{}") == 1 and "{}" in known.source for address in known.files.values())


def test_a_macrolanguage_has_what_its_members_have() -> None:
    assert known_corpora("swa") == known_corpora("swh") != []
    assert {data.code for data in known_corpora("nor")} == {"nob", "nno"}


def test_a_member_has_what_its_macrolanguage_has() -> None:
    assert [data.code for data in known_tasks("ekk") if data.kind == "topic"] == ["est"]
    assert known_corpora("pes")[0].source == "hub:cis-lmu/GlotCC-V1:fas-Arab:content"


def test_a_dialect_is_not_given_another_one() -> None:
    assert known_corpora("acm") == []  # Standard Arabic has a Wikipedia, Mesopotamian Arabic none
    assert [data.code for data in known_tasks("acm")] == ["acm"]


def test_scripts_are_told_apart() -> None:
    assert [data.title for data in known_corpora("srp")][:2] == ["GlotCC, srp-Cyrl", "GlotCC, srp-Latn"]
    assert [data.title for data in known_corpora("mlt")][:1] == ["GlotCC"]


def test_wikis_are_listed_under_the_language_they_are_in() -> None:
    wikis = {
        data.source.split(":")[2].removeprefix("20231101."): data.code
        for data in EVERYTHING
        if "wikipedia" in data.source
    }
    expected = {"als": "gsw", "no": "nob", "zh-yue": "yue", "bat-smg": "sgs", "nrm": "nrf", "de": "deu", "mhr": "mhr"}
    assert expected.items() <= wikis.items()
    assert "simple" not in wikis


@pytest.mark.parametrize("code", ["", "xxx", "tlh-not"])
def test_there_is_nothing_for_what_is_no_language(code: str) -> None:
    assert known_corpora(code) == known_tasks(code) == []


def test_every_entry_is_sound() -> None:
    codes = {entry.code for entry in all_languages()}
    assert {data.code for data in EVERYTHING} <= codes
    assert {data.kind for data in EVERYTHING} == {"corpus", *KINDS}
    assert all(data.title and data.licence for data in EVERYTHING)
    assert len({data.source for data in EVERYTHING}) == len(EVERYTHING)


def test_every_source_is_one_that_a_recipe_can_name() -> None:
    assert corpus_faults([data.source for data in EVERYTHING if data.kind == "corpus"], base=None) == []  # type: ignore[arg-type]
    for data in EVERYTHING:
        assert isinstance(data, KnownData)
        assert data.source.startswith("hub:")
        if data.kind != "corpus":
            assert all(part != "" for part in parse_source(data.source))


def test_the_case_of_a_hub_name_does_not_matter() -> None:
    known = known_set("cis-lmu/GlotCC-V1")
    assert known is not None and known_set("cis-lmu/glotcc-v1") is known
