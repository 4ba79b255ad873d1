"""English: number agreement, articles, auxiliaries; the one language here that has to say its pronouns."""

from __future__ import annotations

from resources.sample.grammar import Agreement, Language, Phrase, Token, name_tokens
from resources.sample.meaning import Noun, Organisation, Person, Place

GENDER = {"woman": True, "girl": True, "man": False, "boy": False}
"""Nouns that say themselves whether a woman is meant."""
ON = ("beach", "island", "bridge", "mountain", "field", "square")


class English(Language):
    """Says plans in English; gender (f, m, n) shows in pronouns only."""

    code = "eng"
    comma_before = frozenset({"but", "so"})

    def noun(self, noun: Noun, role: str) -> Phrase:
        """Determiner or number, adjective, noun."""
        entries = self.nouns[noun.concept]
        female = noun.human and GENDER.get(noun.concept, noun.female)
        singular, plural = entries[1] if female and len(entries) > 1 else entries[0]
        mass = plural == "-"
        many = noun.plural and not mass
        adjective = [Token(self.adjectives[noun.adjective][0], "ADJ")] if noun.adjective else []
        head = [*adjective, Token(plural if many else singular, "NOUN")]
        if noun.number and many:
            head = [*self.phrases[noun.number], *head]
        elif noun.near:
            head = [Token("these" if many else "this", "DET"), *head]
        elif noun.definite:
            head = [Token("the", "DET"), *head]
        elif not many and not mass:
            head = [Token(indefinite(head[0].form), "DET"), *head]
        return Phrase(head, Agreement("f" if female else "m" if noun.human else "n", many))

    def person(self, person: Person, role: str) -> Phrase:
        """A person, with the title before the name."""
        tokens: list[Token] = []
        if person.title and not person.employer:
            tokens = self.noun(Noun(person.title, human=True, female=person.female), role).tokens
        names = f"{person.first} {person.surname}" if person.surname else person.first
        return Phrase(tokens + name_tokens(names, "PER"), Agreement("f" if person.female else "m"))

    def organisation(self, organisation: Organisation, role: str) -> Phrase:
        """An organisation, without article."""
        name = organisation.pattern.format(
            place=organisation.place, surname=organisation.surname, brand=organisation.brand
        )
        return Phrase(name_tokens(name, "ORG"), Agreement("n"))

    def town(self, name: str) -> list[Token]:
        """A town."""
        return name_tokens(name, "LOC")

    def of(self, organisation: Organisation) -> list[Token]:
        """From an organisation."""
        return [Token("from", "ADP"), *self.organisation(organisation, "of").tokens]

    def at(self, place: Place) -> list[Token]:
        """In or on a place, in a town."""
        tokens: list[Token] = []
        if place.noun:
            preposition = "on" if place.noun.concept in ON else "in"
            tokens = [Token(preposition, "ADP"), *self.noun(place.noun, "place").tokens]
        if place.town:
            tokens += [Token("in", "ADP"), *name_tokens(place.town, "LOC")]
        return tokens

    def verb(
        self, verb: str, agreement: Agreement, tense: str, negated: bool, obj: Agreement | None = None
    ) -> list[Token]:
        """Simple tenses; "do" carries the negation."""
        base, she, past = self.verbs[verb]
        negation = [Token("not", "PART")] if negated else []
        if tense == "future":
            return [Token("will", "AUX"), *negation, Token(base, "VERB")]
        if negated:
            do = "did" if tense == "past" else "do" if agreement.plural else "does"
            return [Token(do, "AUX"), *negation, Token(base, "VERB")]
        return [Token(past if tense == "past" else base if agreement.plural else she, "VERB")]

    def copula(self, agreement: Agreement, tense: str, negated: bool) -> list[Token]:
        """Was, were, is, are."""
        plural, singular = ("were", "was") if tense == "past" else ("are", "is")
        tokens = [Token(plural if agreement.plural else singular, "AUX")]
        return [*tokens, Token("not", "PART")] if negated else tokens

    def predicate(self, adjective: str, agreement: Agreement, strong: bool) -> list[Token]:
        """An adjective, perhaps after "very"."""
        token = Token(self.adjectives[adjective][0], "ADJ")
        return [*self.phrases["very"], token] if strong else [token]

    def role(self, title: str, person: Person) -> list[Token]:
        """A profession with its article."""
        return self.noun(Noun(title, human=True, female=person.female, definite=False), "predicate").tokens

    def pronoun(self, agreement: Agreement) -> list[Token]:
        """She, he, it or they."""
        return [Token("they" if agreement.plural else {"f": "she", "m": "he"}.get(agreement.gender, "it"), "PRON")]


def indefinite(word: str) -> str:
    """The article "a" or "an" that goes before a word.

    >>> indefinite("egg"), indefinite("university"), indefinite("honest")
    ('an', 'a', 'an')
    """
    if word.startswith(("uni", "use")):
        return "a"
    return "an" if word[0] in "aeiou" or word.startswith("honest") else "a"
