"""The fixed shape of a rule's docstring, and the value that it becomes. Knows no rule, and not how a page looks."""

from __future__ import annotations

from inspect import cleandoc

from hardener.record import NamedTuple

#: The labels that a paragraph may begin with, in their order, each with its field in `Page`.
LABELS = {
    "Attack": "attack",
    "Background": "background",
    "What may break": "breaks",
    "What we do": "repair",
    "Left alone": "silent",
    "Example": "examples",
}
#: What every page has; the others only where there is something to say.
NEEDED = ("Attack", "What may break", "What we do", "Example")


class Page(NamedTuple):
    """A rule's docstring. A section is its paragraphs, each without line ends; an absent one is empty."""

    #: What is wrong, in a sentence.
    hazard: str
    #: Who does what, and what they then have: two sentences.
    attack: tuple[str, ...] = ()
    #: What one has to know to judge it.
    background: tuple[str, ...] = ()
    #: What stops working, and for whom, when it is repaired; by us, or by somebody who follows the advice.
    breaks: tuple[str, ...] = ()
    #: What is repaired, what is held back, what is only reported.
    repair: tuple[str, ...] = ()
    #: What looks like it and is not reported.
    silent: tuple[str, ...] = ()
    #: Names of cases in the rule's folder of fixtures.
    examples: tuple[str, ...] = ()


def read(docstring: str) -> Page:
    """The page that a docstring is.

    Its first line is the hazard. Then come paragraphs; one that begins with a label and a colon opens that section, one
    without continues it. Raises `ValueError` for a label twice or out of order, and for a paragraph before the first.
    """
    hazard, *paragraphs = cleandoc(docstring).strip().split("\n\n")
    order = list(LABELS)
    sections: dict[str, list[str]] = {}
    for paragraph in paragraphs:
        text = " ".join(paragraph.split())
        label, colon, rest = text.partition(":")
        if colon and label in LABELS:
            if sections and order.index(label) <= order.index(next(reversed(sections))):
                raise ValueError(f"{label!r} is out of order: {', '.join(order)}")
            sections[label] = [rest.strip()]
        elif sections:
            next(reversed(sections.values())).append(text)
        else:
            raise ValueError(f"a paragraph without a label: {text[:40]!r}")
    fields = {LABELS[label]: tuple(text) for label, text in sections.items()}
    names = tuple(name.strip() for text in fields.pop("examples", ()) for name in text.split(","))
    return Page(" ".join(hazard.split()), examples=names, **fields)
