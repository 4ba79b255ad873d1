"""Slovak: cases by paradigm, adjectives under the rhythmic law, verbs in aspect pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from resources.sample.grammar import Agreement, Language, Phrase, Token, entity, name_tokens
from resources.sample.meaning import Noun, Organisation, Person, Place

# gender (ma: masculine animate, mi: inanimate), then endings: genitive, accusative ("0": as the nominative),
# locative, nominative plural, accusative plural ("0": as the nominative plural)
PARADIGMS = {
    "chlap": "ma a a ovi i ov",
    "hrdina": "ma u u ovi ovia ov",
    "dub": "mi a 0 e y 0",
    "dub_u": "mi u 0 e y 0",
    "trh": "mi u 0 u y 0",
    "stroj": "mi a 0 i e 0",
    "žena": "f y u e y 0",
    "ulica": "f e u i e 0",
    "dlaň": "f e 0 i e 0",
    "kosť": "f i 0 i i 0",
    "mesto": "n a 0 e á 0",
    "srdce": "n a 0 i ia 0",
    "vysvedčenie": "n ia 0 í ia 0",
    "Malacky": "f - 0 ách y 0",
    "Humenné": "n ého 0 om é 0",
}
CASES = ("gen", "acc", "loc", "npl", "apl")
LONG_LAST = re.compile(r"([áéíóúýĺŕô]|i[aeu])[^aeiouyáéíóúýäô]*$")
NUMBERS = {  # masculine animate, inanimate, others; "five" would ask for the genitive plural
    "two": ("dvaja", "dva", "dve", "dvoch"),
    "three": ("traja", "tri", "tri", "troch"),
    "four": ("štyria", "štyri", "štyri", "štyroch"),
    "five": ("štyria", "štyri", "štyri", "štyroch"),
}


@dataclass(frozen=True, slots=True)
class Declined:
    """A noun in all the cases used here."""

    gender: str
    nom: str
    gen: str
    acc: str
    loc: str
    npl: str
    apl: str
    mass: bool = False
    preposition: str = "v"


def decline(nominative: str, stem: str, paradigm: str, *extras: str) -> Declined:
    """Inflect a noun by its paradigm; extras are forms that differ ("loc=hoteli") and marks ("mass", "na").

    >>> decline("ulica", "ulic", "ulica").loc, decline("víno", "vín", "mesto").npl
    ('ulici', 'vína')
    """
    given = dict(extra.split("=") for extra in extras if "=" in extra)
    if paradigm == "nesklonné":
        forms = dict.fromkeys(CASES, nominative)
        gender = "n"
    else:
        gender, *endings = PARADIGMS[paradigm].split()
        forms = {case: stem + ending for case, ending in zip(CASES, endings, strict=True)}
        if paradigm == "mesto" and LONG_LAST.search(stem):  # the rhythmic law: no two long syllables in a row
            forms["npl"] = stem + "a"
        forms["acc"] = nominative if endings[1] == "0" else forms["acc"]
        forms |= given
        forms["apl"] = forms["npl"] if endings[4] == "0" else forms["apl"]
    return Declined(gender, nominative, **forms, mass="mass" in extras, preposition="na" if "na" in extras else "v")


def agree(adjective: str, gender: str, case: str) -> str:
    """The form of an adjective for a gender and case; endings are short after a long syllable.

    >>> agree("nový", "f", "acc"), agree("krásny", "f", "acc"), agree("starší", "ma", "apl")
    ('novú', 'krásnu', 'starších')
    """
    stem, masculine = adjective[:-1], gender in ("ma", "mi")
    kind = "gen" if case == "acc" and gender == "ma" else case
    if kind == "nom" or (kind == "acc" and gender != "f"):
        index = 0 if masculine else 1 if gender == "f" else 2
    elif kind == "acc":
        index = 3
    elif kind in ("gen", "loc"):
        index = 6 if gender == "f" else 4 if kind == "gen" else 5
    elif gender == "ma":
        index = 7 if kind == "npl" else 8
    else:
        index = 2
    soft = ["í", "ia", "ie", "iu", "ieho", "om", "ej", "í", "ích"]
    hard = ["ý", "á", "é", "ú", "ého", "om", "ej", "í", "ých"]
    short = ["y", "a", "e", "u", "eho", "om", "ej", "i", "ych"]
    endings = soft if adjective.endswith("í") else short if adjective.endswith("y") else hard
    return stem + endings[index]


def vocalised(preposition: str, word: str) -> str:
    """V, z with the vowel that they take before a like consonant: "vo", "zo"."""
    like = {"v": "vf", "z": "zsšž"}.get(preposition, "")
    return preposition + "o" if word[0].lower() in like else preposition


class Slovak(Language):
    """Says plans in Slovak."""

    code = "slk"
    comma_before = frozenset({"but", "because", "when", "so", "that"})

    def noun(self, noun: Noun, role: str) -> Phrase:
        """Demonstrative or number, adjective and noun, in the case of their role."""
        entries = self.nouns[noun.concept]
        form = decline(*(entries[1] if noun.female and len(entries) > 1 else entries[0]))
        many = noun.plural and not form.mass
        singular, plural = {"subject": ("nom", "npl"), "object": ("acc", "apl")}.get(role, (role, role))
        case = plural if many else singular
        tokens: list[Token] = []
        if noun.number and many:
            numbers = NUMBERS[noun.number]
            index = 2 if form.gender in ("f", "n") else 1 if form.gender == "mi" else 3 if case == "apl" else 0
            tokens = [Token(numbers[index], "NUM")]
        elif noun.near:
            tokens = [Token(this(form.gender, case), "DET")]
        if noun.adjective:
            tokens.append(Token(agree(self.adjectives[noun.adjective][0], form.gender, case), "ADJ"))
        return Phrase([*tokens, Token(getattr(form, case), "NOUN")], Agreement(form.gender, many))

    def person(self, person: Person, role: str) -> Phrase:
        """A person, with the title before the name, in the nominative or accusative."""
        accusative = role == "object"
        tokens: list[Token] = []
        if person.title and not person.employer:
            tokens = self.noun(Noun(person.title, human=True, female=person.female), role).tokens
        name = given_name(person.first, person.female, accusative)
        if person.surname:
            name += " " + surname(person.surname, person.female, accusative)
        return Phrase(tokens + name_tokens(name, "PER"), Agreement("f" if person.female else "ma"))

    def organisation(self, organisation: Organisation, role: str) -> Phrase:
        """An organisation; its first word is inflected."""
        first, *rest = organisation.pattern.split()
        brand = organisation.brand
        if first == "{brand}":
            first = f"{brand}:{brand[:-1]}:žena" if brand.endswith("a") else f"{brand}:{brand}:dub_u"
        declined = decline(*first.split(":"))
        form = {"gen": declined.gen, "object": declined.acc}.get(role, declined.nom)
        place = organisation.place.split(":")[0]
        name = " ".join([form, *rest]).format(place=place, surname=organisation.surname, brand=brand)
        return Phrase(name_tokens(name, "ORG"), Agreement(declined.gender))

    def town(self, name: str) -> list[Token]:
        """A town in the accusative."""
        return name_tokens(decline(*name.split(":")).acc, "LOC")

    def of(self, organisation: Organisation) -> list[Token]:
        """From an organisation: z, zo and the genitive."""
        name = self.organisation(organisation, "gen").tokens
        return [Token(vocalised("z", name[0].form), "ADP"), *name]

    def at(self, place: Place) -> list[Token]:
        """In or on a place, in a town: v, na and the locative."""
        tokens: list[Token] = []
        if place.noun:
            inner = self.noun(place.noun, "loc").tokens
            preposition = decline(*self.nouns[place.noun.concept][0]).preposition
            tokens = [Token(vocalised(preposition, inner[0].form), "ADP"), *inner]
        if place.town:
            form = decline(*place.town.split(":")).loc
            tokens += [Token(vocalised("v", form), "ADP"), *entity([Token(form, "PROPN")], "LOC")]
        return tokens

    def verb(
        self, verb: str, agreement: Agreement, tense: str, negated: bool, obj: Agreement | None = None
    ) -> list[Token]:
        """Past and future are perfective, the present imperfective; negation is a prefix."""
        he, she, will, they_will, does, they_do = self.verbs[verb]
        if tense == "past":
            form = past(he, she, agreement)
        elif tense == "future":
            form = they_will if agreement.plural else will
        else:
            form = they_do if agreement.plural else does
        *auxiliary, main = form.split("_")
        tokens = [*(Token(word, "AUX") for word in auxiliary), Token(main, "VERB")]
        if negated and main == "je":
            return [Token("neje", "VERB")]
        return [replace(tokens[0], form="ne" + tokens[0].form), *tokens[1:]] if negated else tokens

    def copula(self, agreement: Agreement, tense: str, negated: bool) -> list[Token]:
        """Bol, je and their kin."""
        if tense == "past":
            return [Token(("ne" if negated else "") + past("bol", "bola", agreement), "AUX")]
        form = Token("sú" if agreement.plural else "je", "AUX")
        return [Token("nie", "PART"), form] if negated else [form]

    def predicate(self, adjective: str, agreement: Agreement, strong: bool) -> list[Token]:
        """An adjective in the nominative, perhaps after "very"."""
        form = agree(self.adjectives[adjective][0], agreement.gender, "npl" if agreement.plural else "nom")
        return [*(self.phrases["very"] if strong else []), Token(form, "ADJ")]

    def role(self, title: str, person: Person) -> list[Token]:
        """A profession in the nominative."""
        return self.noun(Noun(title, human=True, female=person.female), "subject").tokens


def past(he: str, she: str, agreement: Agreement) -> str:
    """The past form that agrees in gender and number."""
    if agreement.plural:
        return she[:-1] + "i"
    return {"f": she, "n": she[:-1] + "o"}.get(agreement.gender, he)


def this(gender: str, case: str) -> str:
    """The demonstrative for a gender and case."""
    table = {
        "ma": {"nom": "tento", "acc": "tohto", "npl": "títo", "apl": "týchto"},
        "mi": {"nom": "tento", "acc": "tento"},
        "f": {"nom": "táto", "acc": "túto"},
        "n": {"nom": "toto", "acc": "toto"},
    }
    return table[gender].get(case, "tieto")


def given_name(entry: str, female: bool, accusative: bool) -> str:
    """A first name in the nominative or accusative."""
    form, _, stem = entry.partition(":")
    if not accusative:
        return form
    return form[:-1] + "u" if female else (stem or form) + "a"


def surname(form: str, female: bool, accusative: bool) -> str:
    """A surname; women's end in -ová and decline like an adjective."""
    base = form[:-1] if form.endswith("a") else form
    if female:
        base = base[:-1] + "á" if base.endswith("ý") else feminine_stem(base) + "ová"
        return base[:-1] + "ú" if accusative else base
    if not accusative:
        return form
    if form.endswith("ý"):
        return form[:-1] + "ého"
    return base + "u" if form.endswith("a") else feminine_stem(form) + "a"


def feminine_stem(form: str) -> str:
    """The stem that a surname has before an ending: the last vowel of -ec is lost, a final -o as well."""
    if form.endswith("ec"):
        return form[:-2] + "c"
    return form[:-1] if form.endswith("o") else form
