"""What the four grammars share: tokens with gold labels, and the order in which a clause is said.

A text starts as a plan without words (`meaning.py`). A `Language` says the plan: it knows its nouns, verbs and
agreement; the order subject, verb, object, place, time is common to all four and lives here.
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resources.sample.meaning import (
    Clause,
    Event,
    Linked,
    Noun,
    Opinion,
    Organisation,
    Participant,
    Person,
    Place,
    Remark,
    Report,
    Role,
    Same,
    Town,
)

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Token:
    """One word or mark with its gold labels."""

    form: str
    upos: str
    entity: str = "O"
    """IOB2 tag: O, or B-/I- with PER, LOC, ORG."""
    glued: bool = False
    """No space follows (Maltese "il-", any word before a comma)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What other words copy from a noun: its gender (in Swahili the class of the form) and number."""

    gender: str
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens together with the agreement that they demand of a verb or adjective."""

    tokens: list[Token]
    agreement: Agreement


def words(marked: str) -> list[Token]:
    """Read "form/UPOS form/UPOS"; a "_" after a form means that no space follows it."""
    pairs = [item.rsplit("/", 1) for item in marked.split()]
    return [Token(form.rstrip("_"), upos, glued=form.endswith("_")) for form, upos in pairs]


def entity(tokens: Iterable[Token], kind: str) -> list[Token]:
    """Mark tokens as one named entity of the kind PER, LOC or ORG."""
    return [replace(token, entity=("I-" if index else "B-") + kind) for index, token in enumerate(tokens)]


def name_tokens(name: str, kind: str) -> list[Token]:
    """A name of one or more words, as one entity."""
    return entity([Token(form, "PROPN") for form in name.split()], kind)


def mark(tokens: list[Token], sign: str) -> list[Token]:
    """Tokens followed directly by a punctuation mark."""
    return [*tokens[:-1], replace(tokens[-1], glued=True), Token(sign, "PUNCT")]


def join(tokens: Sequence[Token]) -> str:
    """The running text of tokens."""
    return "".join(token.form + ("" if token.glued else " ") for token in tokens).strip()


def is_human(participant: Participant | None) -> bool:
    """Whether a participant is a person or people."""
    return isinstance(participant, Person) or (isinstance(participant, Noun) and participant.human)


class Language(ABC):
    """One language: its word list and the forms that its grammar asks for."""

    code: str
    comma_before: frozenset[str] = frozenset({"but", "because", "when", "so"})

    def __init__(self) -> None:
        """Read the language's word list."""
        lexicon: dict[str, Any] = tomllib.loads((HERE / "words" / f"{self.code}.toml").read_text(encoding="utf-8"))
        self.nouns: dict[str, list[list[str]]] = {
            concept: [entry.split() for entry in line.split(";")] for concept, line in lexicon["nouns"].items()
        }
        self.verbs: dict[str, list[str]] = {concept: line.split() for concept, line in lexicon["verbs"].items()}
        self.adjectives: dict[str, list[str]] = {
            concept: line.split() for concept, line in lexicon["adjectives"].items()
        }
        self.phrases = {name: words(line) for name, line in lexicon["phrases"].items()}
        self.conclusions = {label: [words(line) for line in lines] for label, lines in lexicon["conclusions"].items()}
        self.names: dict[str, list[str]] = {kind: line.split() for kind, line in lexicon["names"].items()}
        self.organisations: dict[str, list[str]] = lexicon["organisations"]

    # What a language must know -------------------------------------------------------------------------------

    @abstractmethod
    def noun(self, noun: Noun, role: str) -> Phrase:
        """A noun phrase as "subject" or "object"."""

    @abstractmethod
    def person(self, person: Person, role: str) -> Phrase:
        """A named person, perhaps with a title before the name."""

    @abstractmethod
    def organisation(self, organisation: Organisation, role: str) -> Phrase:
        """A named organisation."""

    @abstractmethod
    def town(self, name: str) -> list[Token]:
        """A named town as an object."""

    @abstractmethod
    def of(self, organisation: Organisation) -> list[Token]:
        """Belonging to an organisation ("of X", "from X")."""

    @abstractmethod
    def at(self, place: Place) -> list[Token]:
        """Being at a place, in a named town, or both."""

    @abstractmethod
    def verb(
        self, verb: str, agreement: Agreement, tense: str, negated: bool, obj: Agreement | None = None
    ) -> list[Token]:
        """A finite verb; tense is past, present or future, `obj` the agreement of a human object."""

    @abstractmethod
    def copula(self, agreement: Agreement, tense: str, negated: bool) -> list[Token]:
        """A form of "to be"."""

    @abstractmethod
    def predicate(self, adjective: str, agreement: Agreement, strong: bool) -> list[Token]:
        """An adjective after "to be", perhaps with "very"."""

    @abstractmethod
    def role(self, title: str, person: Person) -> list[Token]:
        """A profession after "to be": "a doctor"."""

    def pronoun(self, agreement: Agreement) -> list[Token]:
        """The subject pronoun for something just mentioned; nothing where the verb says it all."""
        return []

    def euphony(self, tokens: list[Token]) -> list[Token]:
        """Changes that neighbouring words cause in each other."""
        return tokens

    # What all share ------------------------------------------------------------------------------------------

    def participant(self, who: Participant, role: str, antecedent: Agreement | None) -> Phrase:
        """Any subject or object."""
        match who:
            case Noun():
                return self.noun(who, role)
            case Person():
                phrase = self.person(who, role)
                if who.employer and who.title and role == "subject":
                    aside = [*self.apposition(who), *self.of(who.employer)]
                    phrase = Phrase(mark(mark(phrase.tokens, ",") + aside, ","), phrase.agreement)
                return phrase
            case Organisation():
                return self.organisation(who, role)
            case Town():
                return Phrase(self.town(who.name), Agreement(""))
            case Same():
                assert antecedent is not None, "a pronoun needs something to stand for"
                return Phrase(self.pronoun(antecedent), antecedent)

    def apposition(self, person: Person) -> list[Token]:
        """A profession after a name: "Ann Hill, a doctor"."""
        assert person.title
        return self.role(person.title, person)

    def clause(self, clause: Clause, antecedent: Agreement | None = None) -> Phrase:
        """Say one clause; the agreement returned is its subject's, for a pronoun in the next one."""
        match clause:
            case Event():
                return self.event(clause, antecedent)
            case Opinion():
                subject = self.participant(clause.subject, "subject", antecedent)
                agreement = subject.agreement
                copula = self.copula(agreement, clause.tense, clause.negated)
                adjective = self.predicate(clause.adjective, agreement, clause.strong)
                return Phrase(subject.tokens + copula + adjective, agreement)
            case Role():
                subject = self.person(clause.person, "subject")
                copula = self.copula(subject.agreement, "present", False)
                tokens = subject.tokens + copula + self.role(clause.title, clause.person)
                tokens += self.of(clause.employer) if clause.employer else []
                return Phrase(tokens + (self.at(clause.place) if clause.place else []), subject.agreement)
            case Report():
                subject = self.participant(clause.speaker, "subject", antecedent)
                tokens = subject.tokens + self.verb(clause.verb, subject.agreement, "past", False)
                content = self.clause(clause.content, subject.agreement)
                return Phrase(self.link(tokens, "that", content.tokens), content.agreement)
            case Linked():
                first = self.clause(clause.first, antecedent)
                second = self.clause(clause.second, first.agreement)
                return Phrase(self.link(first.tokens, clause.conjunction, second.tokens), second.agreement)
            case Remark():
                said = self.conclusions[clause.label]
                return Phrase(said[clause.index % len(said)], antecedent or Agreement("m"))

    def link(self, first: list[Token], conjunction: str, second: list[Token]) -> list[Token]:
        """Two clauses joined by a conjunction."""
        first = mark(first, ",") if conjunction in self.comma_before else first
        return [*first, *self.phrases[conjunction], *second]

    def event(self, event: Event, antecedent: Agreement | None) -> Phrase:
        """Somebody does something, somewhere, some time."""
        subject = self.participant(event.subject, "subject", antecedent)
        thing = self.participant(event.object, "object", subject.agreement) if event.object else None
        human = thing.agreement if thing and is_human(event.object) else None
        verb = self.verb(event.verb, subject.agreement, event.tense, event.negated, human)
        obj = thing.tokens if thing else []
        manner = self.phrases[event.manner] if event.manner else []
        place = self.at(event.place) if event.place else []
        time = self.phrases[event.time] if event.time else []
        if event.time_first:
            return Phrase([*time, *subject.tokens, *verb, *obj, *manner, *place], subject.agreement)
        return Phrase([*subject.tokens, *verb, *obj, *manner, *place, *time], subject.agreement)

    def say(self, sentences: Sequence[Clause]) -> list[list[Token]]:
        """Say a plan: one list of tokens a sentence, with capitals and full stops."""
        spoken: list[list[Token]] = []
        antecedent: Agreement | None = None
        for sentence in sentences:
            phrase = self.clause(sentence, antecedent)
            antecedent = phrase.agreement
            tokens = self.euphony(mark(phrase.tokens, "."))
            first = tokens[0]
            spoken.append([replace(first, form=first.form[0].upper() + first.form[1:]), *tokens[1:]])
        return spoken
