"""Plans of texts before any language is chosen: who does what, where and when, and what is thought of it.

`Speaker` draws plans at random from `world.toml`: a topic, a frame of that topic (a verb with the subjects and
objects that go with it), names, places, times. The languages turn the plans into words (`grammar.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

TIMES = {
    "past": ("yesterday", "last_week", "last_year", "morning", "evening"),
    "present": ("today", "now", "every_day", "morning", "evening"),
    "future": ("tomorrow", "next_week", "next_year"),
}
MANNERS = ("well", "quickly", "again", "often", "carefully")
PLAIN_PEOPLE = ("woman", "man", "boy", "girl")
"""Words for people that are no professions: never a title before a name."""
NUMBERS = ("two", "three", "four", "five")
HELD_BACK_EVERY = 4
"""Every fourth name of each list is kept out of the corpus and of the training splits."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A common noun; `female` matters for people only."""

    concept: str
    human: bool = False
    female: bool = False
    plural: bool = False
    number: str | None = None
    adjective: str | None = None
    definite: bool = True
    near: bool = False
    """"this" instead of "the"."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A named organisation: a pattern of the word list with the names that may fill it."""

    pattern: str
    place: str
    surname: str
    brand: str


@dataclass(frozen=True, slots=True)
class Person:
    """A named person; names are entries of the language's word list."""

    first: str
    surname: str | None
    female: bool
    title: str | None = None
    employer: Organisation | None = None


@dataclass(frozen=True, slots=True)
class Town:
    """A named town as the object of a verb."""

    name: str


@dataclass(frozen=True, slots=True)
class Same:
    """The subject of the clause before."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of place, a named town, or a kind of place in a named town."""

    noun: Noun | None
    town: str | None


Participant: TypeAlias = Noun | Person | Organisation | Town | Same


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody does something."""

    verb: str
    subject: Participant
    object: Participant | None = None
    tense: str = "past"
    negated: bool = False
    place: Place | None = None
    time: str | None = None
    time_first: bool = False
    manner: str | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """Something is, or is not, good."""

    subject: Participant
    adjective: str
    tense: str = "past"
    negated: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody has a profession somewhere."""

    person: Person
    title: str
    employer: Organisation | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class Remark:
    """A closing remark, taken from the language's list."""

    label: str
    index: int


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody says something."""

    speaker: Participant
    verb: str
    content: Clause


@dataclass(frozen=True, slots=True)
class Linked:
    """Two clauses and a conjunction."""

    first: Clause
    conjunction: str
    second: Clause


Clause: TypeAlias = Event | Opinion | Role | Remark | Report | Linked


@dataclass(frozen=True, slots=True)
class Frame:
    """A verb with what may be its subject and object (class or concept names)."""

    verb: str
    topics: tuple[str, ...]
    subjects: tuple[str, ...]
    objects: tuple[str, ...]


class World:
    """`world.toml`, read."""

    def __init__(self) -> None:
        """Read classes, topics, frames and opinions."""
        path = Path(__file__).with_name("world.toml")
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        self.classes: dict[str, list[str]] = data["classes"]
        self.topics: dict[str, dict[str, Any]] = data["topics"]
        self.organisation_verbs: list[str] = data["names"]["organisation_acts"]
        self.dealing_verbs: list[str] = data["names"]["organisation_suffers"]
        self.town_verbs: list[str] = data["names"]["town_suffers"]
        self.adjectives: dict[str, list[str]] = data["adjectives"]
        self.opinions: dict[str, list[tuple[str, ...]]] = {
            name: [tuple(pair.split("/")) for pair in pairs] for name, pairs in data["opinions"].items()
        }
        self.frames = []
        for verb, line in data["frames"].items():
            topics, subjects, objects = (tuple(part.split()) for part in line.split("|"))
            self.frames.append(Frame(verb, topics, subjects, objects))
        people = ("athlete", "medic", "caterer", "traveller", "scholar", "politician", "person", "patient")
        self.people = {concept for name in people for concept in self.classes[name]}

    def concepts(self, name: str) -> list[str]:
        """The concepts of a class; a concept is a class of its own."""
        return self.classes.get(name, [name])

    def class_of(self, concept: str) -> str:
        """The first class that lists a concept."""
        return next(name for name, members in self.classes.items() if concept in members)


class Speaker:
    """Draws plans for one language, whose names it is given."""

    def __init__(
        self, world: World, names: dict[str, list[str]], organisations: dict[str, list[str]], random: Random
    ) -> None:
        """Keep what plans are drawn from."""
        self.world, self.names, self.organisations, self.random = world, names, organisations, random
        self.unseen = 0.0
        """Chance that a name is one of those held back (above 0 in validation and test splits only)."""

    # Small choices -------------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.random.random() < probability

    def zipf(self, items: Sequence[str]) -> str:
        """An item, earlier ones more often."""
        return self.random.choices(items, [1 / (rank + 1.5) ** 0.8 for rank in range(len(items))])[0]

    def name(self, kind: str) -> str:
        """A name: a held-back one with the chance `unseen`."""
        unseen = self.chance(self.unseen)
        last = HELD_BACK_EVERY - 1
        return self.zipf([n for i, n in enumerate(self.names[kind]) if (i % HELD_BACK_EVERY == last) == unseen])

    def brand(self) -> str:
        """An invented one-word name."""
        return self.name("brand_heads") + self.name("brand_tails")

    def concept(self, names: Sequence[str]) -> str:
        """A concept of one of several classes, each class equally likely."""
        return self.zipf(self.world.concepts(self.random.choice(names)))

    # Participants --------------------------------------------------------------------------------------------

    def organisation(self, topic: str) -> Organisation:
        """A named organisation of a topic."""
        pattern = self.random.choice(self.organisations[self.world.topics[topic]["organisation"]])
        return Organisation(pattern, self.name("places"), self.name("surnames"), self.brand())

    def person(self, topic: str, title: str | None) -> Person:
        """A named person; a title may come with an employer."""
        female = self.chance(0.5)
        surname = self.name("surnames") if title or self.chance(0.7) else None
        employer = self.organisation(topic) if title and self.chance(0.25) else None
        return Person(self.name("women" if female else "men"), surname, female, title, employer)

    def noun(self, concept: str, *, simple: bool = False) -> Noun:
        """A noun phrase around a concept."""
        person = concept in self.world.people
        kind = "people" if person else "places" if self.world.class_of(concept).endswith("_place") else "things"
        adjective = self.zipf(self.world.adjectives[kind]) if not simple and self.chance(0.22) else None
        plural = self.chance(0.25)
        number = self.random.choice(NUMBERS) if plural and not simple and self.chance(0.3) else None
        female = self.chance(0.5)
        definite = number is None and self.chance(0.75)
        near = definite and not simple and self.chance(0.12)
        return Noun(concept, person, female, plural, number, adjective, definite, near)

    def subject(self, topic: str, frame: Frame) -> Participant:
        """Who does it: an organisation, a named person, or a noun."""
        concept = self.concept(self.expand(topic, frame.subjects))
        if frame.verb in self.world.organisation_verbs and self.chance(0.2):
            return self.organisation(topic)
        if concept in self.world.people and self.chance(0.45):
            title = concept if concept not in PLAIN_PEOPLE and self.chance(0.45) else None
            return self.person(topic, title)
        return self.noun(concept)

    def object(self, topic: str, verb: str, concept: str) -> Participant:
        """What it is done to; people have names, and some verbs go with towns and organisations."""
        if verb in self.world.town_verbs and self.chance(0.35):
            return Town(self.name("places"))
        if verb in self.world.dealing_verbs and self.chance(0.25):
            return self.organisation(topic)
        if concept in self.world.people and self.chance(0.35):
            return self.person(topic, concept if concept not in PLAIN_PEOPLE and self.chance(0.4) else None)
        return self.noun(concept)

    def expand(self, topic: str, names: Sequence[str]) -> list[str]:
        """Replace the frame words "people" and "things" by the topic's own classes."""
        return [inner for name in names for inner in self.world.topics[topic].get(name, [name])]

    def concepts(self, topic: str, names: Sequence[str]) -> list[str]:
        """All concepts that the classes of a frame stand for."""
        return [concept for name in self.expand(topic, names) for concept in self.world.concepts(name)]

    def place(self, topic: str) -> Place:
        """Where: mostly a place of the topic, sometimes a stray one, often with a town."""
        other = self.random.choice(list(self.world.topics))
        where = topic if self.chance(0.85) else other
        noun = self.noun(self.concept(self.world.topics[where]["places"])) if self.chance(0.65) else None
        if noun:
            noun = replace(noun, plural=False, number=None, definite=True, near=False)
        town = self.name("places") if noun is None or self.chance(0.25) else None
        return Place(noun, town)

    # Clauses -------------------------------------------------------------------------------------------------

    def event(self, topic: str, actor: str | None = None) -> Event:
        """An event of a topic; given the actor of the clause before, one that the actor may do, as a pronoun."""
        world = self.world
        general = self.chance(0.1)
        frames = [f for f in world.frames if ("any" in f.topics if general else topic in f.topics)]
        subject: Participant
        if actor:
            able = [f for f in frames if actor in self.concepts(topic, f.subjects)]
            frame, subject = self.random.choice(able or frames), Same()
        else:
            frame = self.random.choice(frames)
            subject = self.subject(topic, frame)
        things = self.expand(topic, frame.objects)
        obj = self.object(topic, frame.verb, self.concept(things)) if things else None
        tense = self.random.choices(("past", "present", "future"), (5, 3, 2))[0]
        time = self.zipf(TIMES[tense]) if self.chance(0.45) else None
        manner = self.random.choice(MANNERS) if self.chance(0.15) else None
        place = self.place(topic) if self.chance(0.45) else None
        negated = self.chance(0.12)
        first = time is not None and self.chance(0.3)
        return Event(frame.verb, subject, obj, tense, negated, place, time, first, manner)

    def again(self, topic: str, event: Event) -> Event:
        """Another event with the same actor."""
        who = event.subject
        actor = who.concept if isinstance(who, Noun) else who.title if isinstance(who, Person) else None
        return self.event(topic, actor or self.concept(self.world.topics[topic]["people"]))

    def opinion(self, topic: str, positive: bool) -> Opinion:
        """A judgement of something of the topic; negation may carry it."""
        world = self.world
        details = world.topics[topic]
        names = [*details["things"], *details["people"], *details["people"]]
        concept = self.concept(names if self.chance(0.85) else details["places"])
        kind = world.class_of(concept)
        kind = "people" if concept in world.people else "places" if kind.endswith("_place") else kind
        negated = self.chance(0.18)
        subject: Participant
        if kind not in world.opinions or self.chance(0.2):
            person = self.chance(0.4)
            subject = self.person(topic, None) if person else self.noun(self.concept(["person", *details["people"]]))
            kind = "feeling"
        else:
            subject = self.person(topic, concept) if kind == "people" and self.chance(0.3) else self.noun(concept)
        if isinstance(subject, Noun):
            subject = replace(subject, adjective=None, number=None, definite=True)
        good, bad = self.random.choice(world.opinions[kind])
        adjective = good if positive != negated else bad
        return Opinion(subject, adjective, "past" if self.chance(0.6) else "present", negated, self.chance(0.3))

    def remark(self, positive: bool) -> Remark:
        """A closing remark of one polarity."""
        return Remark("good" if positive else "bad", self.random.randrange(1000))

    def judgement(self, topic: str, positive: bool) -> list[Clause]:
        """One to three sentences whose last word on the matter is positive, or negative."""
        draw = self.random.random()
        last = self.opinion(topic, positive)
        said: list[Clause]
        if draw < 0.2:
            said = [last]
        elif draw < 0.35:
            said = [Linked(self.opinion(topic, not positive), "but", last)]
        elif draw < 0.6:
            said = [Linked(self.opinion(topic, positive), "and", last)]
        elif draw < 0.8:
            said = [self.opinion(topic, positive), last]
        else:
            said = [self.event(topic), last]
        return [*said, self.remark(positive)] if self.chance(0.4) else said

    def report(self, topic: str) -> Report:
        """Somebody of the topic says that something happened."""
        title = self.concept(self.world.topics[topic]["people"])
        if title in self.world.people and self.chance(0.7):
            speaker: Participant = self.person(topic, title if self.chance(0.5) else None)
        elif self.chance(0.4):
            speaker = self.organisation(topic)
        else:
            speaker = self.noun(title)
        content: Clause = self.event(topic) if self.chance(0.75) else self.opinion(topic, self.chance(0.5))
        return Report(speaker, self.random.choice(("say", "say", "believe", "announce")), content)

    def role(self, topic: str) -> Role:
        """Somebody's profession."""
        title = self.concept([*self.world.topics[topic]["people"], "person"])
        while title not in self.world.people or title in ("woman", "man", "boy", "girl"):
            title = self.concept([*self.world.topics[topic]["people"], "person"])
        employer = self.organisation(topic) if self.chance(0.6) else None
        place = Place(None, self.name("places")) if employer is None or self.chance(0.3) else None
        return Role(self.person(topic, None), title, employer, place)

    def news(self, topic: str) -> list[Clause]:
        """One to three sentences about a topic."""
        draw = self.random.random()
        said: list[Clause]
        if draw < 0.3:
            event = self.event(topic)
            said = [event, self.again(topic, event)] if self.chance(0.4) else [event]
        elif draw < 0.6:
            conjunction = self.random.choice(("and", "but", "because", "when", "so"))
            event = self.event(topic)
            same = conjunction in ("and", "because", "but") and self.chance(0.6)
            said = [Linked(event, conjunction, self.again(topic, event) if same else self.event(topic))]
        elif draw < 0.8:
            said = [self.report(topic)]
        else:
            role = self.role(topic)
            said = [role, self.event(topic, role.title)]
        return [*said, self.event(topic)] if self.chance(0.6) else said
