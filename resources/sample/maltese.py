"""Maltese: an article that takes on the sun consonants, gender agreement, verbs inflected at both ends."""

from __future__ import annotations

import re
from dataclasses import replace

from resources.sample.grammar import Agreement, Language, Phrase, Token, name_tokens
from resources.sample.meaning import Noun, Organisation, Person, Place

SUN = ("ċ", "d", "n", "r", "s", "t", "x", "ż", "z")
VOWELS = "aeiouàèìòù"
PREPOSITIONS = {  # preposition: before a sun consonant, before another one, before a vowel
    "fi": ("fi", "fil-", "fl-"),
    "ta'": ("ta", "tal-", "tal-"),
    "lil": ("li", "lill-", "lill-"),
}


def vocalic(word: str) -> bool:
    """Whether a word begins with a vowel sound ("għ" and "h" are mute)."""
    lower = word.lower()
    return lower[0] in VOWELS or lower.startswith(("għ", "h"))


def prosthetic(word: str) -> str:
    """The "i" that a difficult cluster takes after the article: "l-iskola", "l-inbid"."""
    return "i" if re.match("s[ptkf]|n[bdgkst]|m[bdgs]", word.lower()) else ""


def with_article(word: str, preposition: str | None = None) -> tuple[str, str]:
    """The article, alone or fused with a preposition, and the word that it leans on.

    >>> with_article("xemx"), with_article("qamar"), with_article("skola"), with_article("dar", "fi")
    (('ix-', 'xemx'), ('il-', 'qamar'), ('l-', 'iskola'), ('fid-', 'dar'))
    """
    extra = prosthetic(word)
    if extra:
        word = extra + (word.lower() if word.islower() else word[0].lower() + word[1:])
    sun, moon, vowel = PREPOSITIONS[preposition] if preposition else ("i", "il-", "l-")
    if vocalic(word):
        return vowel, word
    if word.lower().startswith(SUN):
        return f"{sun}{word[0].lower()}-", word
    return moon, word


def negate(form: str) -> str:
    """The form after "ma": final -x; a short "e" before it is raised, "ie" shortened.

    >>> negate("jikteb"), negate("kielet"), negate("ġriet"), negate("ra")
    ('jiktibx', 'kilitx', 'ġritx', 'rax')
    """
    if form.endswith("iet"):
        return form[:-3] + "itx"
    if form.endswith("et"):
        return form[:-2].replace("ie", "i") + "itx"
    return re.sub("(?<!i)e([^aeiou]+)$", r"i\1", form) + "x"


class Maltese(Language):
    """Says plans in Maltese."""

    code = "mlt"

    def determined(self, word: str, upos: str, preposition: str | None = None) -> list[Token]:
        """A word with the article, and a preposition fused to it."""
        article, word = with_article(word, preposition)
        return [Token(article, "ADP" if preposition else "DET", glued=True), Token(word, upos)]

    def forms(self, noun: Noun) -> tuple[str, Agreement, bool]:
        """The noun in its number, its agreement, and whether it is plural."""
        entries = self.nouns[noun.concept]
        singular, plural, gender = entries[1] if noun.female and len(entries) > 1 else entries[0]
        many = noun.plural and plural != "-"
        return (plural if many else singular), Agreement(gender, many), many

    def adjective(self, name: str, agreement: Agreement) -> str:
        """The form of an adjective that agrees."""
        masculine, feminine, plural = self.adjectives[name]
        return plural if agreement.plural else feminine if agreement.gender == "f" else masculine

    def noun(self, noun: Noun, role: str, preposition: str | None = None) -> Phrase:
        """Noun phrase; an adjective of a definite noun has the article too."""
        word, agreement, many = self.forms(noun)
        tokens: list[Token] = []
        if noun.number and many:
            tokens = [*self.phrases[noun.number], Token(word, "NOUN")]
        elif noun.definite:
            if role == "object" and noun.human and not noun.near:
                preposition = "lil"
            if noun.near:
                this = "dawn" if many else "din" if agreement.gender == "f" else "dan"
                tokens = [Token(this, "DET")]
            tokens += self.determined(word, "NOUN", preposition)
        else:
            tokens = [Token(word, "NOUN")]
        if noun.adjective:
            form = self.adjective(noun.adjective, agreement)
            tokens += self.determined(form, "ADJ") if noun.definite else [Token(form, "ADJ")]
        return Phrase(tokens, agreement)

    def person(self, person: Person, role: str) -> Phrase:
        """A person, with the title before the name."""
        tokens: list[Token] = []
        if person.title and not person.employer:
            title = Noun(person.title, human=True, female=person.female)
            tokens = self.noun(title, role).tokens
        elif role == "object":
            tokens = [Token("lil", "ADP")]
        names = f"{person.first} {person.surname}" if person.surname else person.first
        return Phrase(tokens + name_tokens(names, "PER"), Agreement("f" if person.female else "m"))

    def organisation(self, organisation: Organisation, role: str, preposition: str | None = None) -> Phrase:
        """An organisation; its article stays outside the name."""
        gender, _, pattern = organisation.pattern.partition(" ")
        place = organisation.place.lstrip("+")
        name = pattern.lstrip("+").format(place=place, surname=organisation.surname, brand=organisation.brand)
        tokens = name_tokens(name, "ORG")
        if pattern.startswith("+"):
            return Phrase(self.lean(tokens, preposition), Agreement(gender))
        if preposition:
            tokens = [self.bare(preposition, tokens[0].form), *tokens]
        return Phrase(tokens, Agreement(gender))

    def lean(self, tokens: list[Token], preposition: str | None) -> list[Token]:
        """A name behind its article."""
        article, word = with_article(tokens[0].form, preposition)
        word = word[0].upper() + word[1:]
        return [Token(article, "ADP" if preposition else "DET", glued=True), replace(tokens[0], form=word), *tokens[1:]]

    def bare(self, preposition: str, word: str) -> Token:
        """A preposition before a word without article: f'Londra, t'Attard, ta' Londra."""
        if preposition == "fi":
            return Token("f'", "ADP", glued=True)
        return Token("t'", "ADP", glued=True) if vocalic(word) else Token("ta'", "ADP")

    def town(self, name: str) -> list[Token]:
        """A town, some with the article."""
        tokens = name_tokens(name.lstrip("+"), "LOC")
        return self.lean(tokens, None) if name.startswith("+") else tokens

    def of(self, organisation: Organisation) -> list[Token]:
        """Belonging to an organisation: ta', tal-."""
        return self.organisation(organisation, "of", "ta'").tokens

    def at(self, place: Place) -> list[Token]:
        """In a place: fi, fil-, f'."""
        tokens = self.noun(place.noun, "place", "fi").tokens if place.noun else []
        if place.town:
            name = name_tokens(place.town.lstrip("+"), "LOC")
            preposition = "ta'" if place.noun else "fi"
            if place.town.startswith("+"):
                tokens += self.lean(name, preposition)
            else:
                tokens += [self.bare(preposition, name[0].form), *name]
        return tokens

    def verb(
        self, verb: str, agreement: Agreement, tense: str, negated: bool, obj: Agreement | None = None
    ) -> list[Token]:
        """Perfect for the past, imperfect for the present, "se" with the imperfect for the future."""
        he, she, they, imperfect, imperfect_they = self.verbs[verb]
        feminine = agreement.gender == "f"
        if tense == "past":
            form = they if agreement.plural else she if feminine else he
        elif agreement.plural:
            form = imperfect_they
        else:
            form = feminine_imperfect(imperfect) if feminine else imperfect
        if tense == "future":
            return [*([Token("mhux", "PART")] if negated else []), Token("se", "AUX"), Token(form, "VERB")]
        return [Token("ma", "PART"), Token(negate(form), "VERB")] if negated else [Token(form, "VERB")]

    def copula(self, agreement: Agreement, tense: str, negated: bool) -> list[Token]:
        """Kien in the past, a pronoun in the present."""
        index = 2 if agreement.plural else 1 if agreement.gender == "f" else 0
        if tense == "past":
            if negated:
                return [Token("ma", "PART"), Token(("kienx", "kinitx", "kinux")[index], "AUX")]
            return [Token(("kien", "kienet", "kienu")[index], "AUX")]
        if negated:
            return [Token(("mhuwiex", "mhijiex", "mhumiex")[index], "AUX")]
        return [Token(("huwa", "hija", "huma")[index], "PRON")]

    def predicate(self, adjective: str, agreement: Agreement, strong: bool) -> list[Token]:
        """An agreeing adjective; "very" follows it."""
        token = Token(self.adjective(adjective, agreement), "ADJ")
        return [token, *self.phrases["very"]] if strong else [token]

    def role(self, title: str, person: Person) -> list[Token]:
        """A profession, without article."""
        return [Token(self.forms(Noun(title, female=person.female))[0], "NOUN")]

    def euphony(self, tokens: list[Token]) -> list[Token]:
        """After a vowel the article and doubled initials lose their "i"; after a consonant verbs gain one."""
        result = tokens[:1]
        for token in tokens[1:]:
            form = token.form
            if result[-1].form[-1].lower() in VOWELS:
                article = token.upos == "DET" and re.fullmatch("i[^aeiou]-", form)
                doubled = token.upos == "VERB" and re.match(r"i([^aeiou])\1", form)
                form = form[1:] if article or doubled else form
            elif token.upos == "VERB" and re.match(r"([sżxċd])\1", form):
                form = "i" + form
            result.append(replace(token, form=form))
        return result


def feminine_imperfect(form: str) -> str:
    """She-form of the imperfect: t- for j-, assimilated to a following coronal ("jsajjar": "ssajjar")."""
    rest = form[1:]
    return (rest[0] if rest[0] in "ċdsxżz" else "t") + rest
