"""Cleaning of the Bible editions, by pure functions of strings."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

Verses = dict[tuple[int, int, int], str]  # text by (book, chapter, verse)

_JOB, _PSALMS, _SONG_OF_SONGS = 18, 19, 22
_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_PLACEHOLDER = re.compile(r"^dummy verses|\(MISSING\)|^\(\*\)$")
_NEXT_PSALM = re.compile(r"\s*(BOOK [IVX]+ )?\bPsalm \d+\b.*$")
_STANZA_LETTER = re.compile(r"(?<=[.!?;,\"']) [A-Z]{2,}(?: [A-Z]{2,})*$")
_SPEAKER = re.compile(r"(?:^|(?<=[.!?;,\"'] ))(?:Beloved|Lover|Friends)(?: (?=[\"'A-Z])|$)")
_VERSE_NUMBER = re.compile(r"\(\d+:\d+b?\)?")
_FRENCH_TITLE = re.compile(
    r"^(?:(?:Au chef|Cantique|Psaume|Prière|Hymne|De David|De Salomon|Des fils de Koré|D'Asaph)\b[^.!?]*\. )+"
)
# Initials: the first words of a chapter or psalm, in capitals, possibly after a one-letter word or an elided article.
_INITIALS = rf"[¡¿]*(?:[{_UPPER}],? |[{_UPPER}]’)?[{_UPPER}]{{2,}}\b"
_TITLE_BEFORE_INITIALS = re.compile(rf"^.*?[{_LOWER}].*?\s(?={_INITIALS})")
_CAPITALS = rf"[{_UPPER}]+(?:’[{_UPPER}]+)*(?:’|\b)"
_LEADING_CAPITALS = re.compile(rf"^(?={_INITIALS})[¡¿]*{_CAPITALS}(?:,? {_CAPITALS})*")


def clean(verses: Mapping[tuple[int, int, int], str], language: str) -> Verses:
    """The verses of one edition without artefacts of its print; empty verses are dropped.

    All: backticks become apostrophes and white space one space; brackets around supplied words are removed, and so are
    asterisks and dashes that separate sections. Removed in English: the heading of the *next* psalm at a psalm's end,
    the Hebrew letters of Psalm 119, and the speakers' names in the Song of Songs; in German, French, Spanish, Italian:
    the title inside a psalm's first verse; in French: verse numbers of another numbering. Spanish: soft hyphens become
    inverted exclamation marks. Spanish, Italian: opening words in capitals, some without accents, get lower case.
    """
    cleaned = {}
    for reference, text in verses.items():
        if _PLACEHOLDER.search(text):
            continue
        text = _clean_marks(text.replace("\xad", "¡" if language == "es" else ""))
        text = _clean_headings(text, reference, language)
        if text:
            cleaned[reference] = text
    return _lower_initials(cleaned) if language in ("es", "it") else cleaned


def _clean_marks(text: str) -> str:
    text = text.replace("`", "'").replace(" -[", "-").replace("[", "").replace("]", "")
    text = " ".join(text.split())
    return re.sub(r"(?: [*-])+$", "", text)


def _clean_headings(text: str, reference: tuple[int, int, int], language: str) -> str:
    book, chapter, verse = reference
    first_of_psalm = book == _PSALMS and verse == 1
    if language == "en":
        if book in (_JOB, _PSALMS):  # the last verse of Job is followed by the heading of Psalm 1
            text = _NEXT_PSALM.sub("", text)
        if (book, chapter) == (_PSALMS, 119):
            text = _STANZA_LETTER.sub("", text)
        if book == _SONG_OF_SONGS:
            text = _SPEAKER.sub("", text)
    elif language == "de" and first_of_psalm:
        text = re.sub(r"^\([^)]*\)", "", text)
    elif language == "fr":
        if first_of_psalm and len(_VERSE_NUMBER.findall(text)) > 1:
            text = _VERSE_NUMBER.split(text)[-1]
        text = _VERSE_NUMBER.sub("", text)
        if first_of_psalm:
            text = _FRENCH_TITLE.sub("", text.strip())
    elif language in ("es", "it") and first_of_psalm:
        text = _TITLE_BEFORE_INITIALS.sub("", text)
    return " ".join(text.split())


def _lower_initials(verses: Verses) -> Verses:
    """ "EN el principio" -> "En el principio", "Y JEHOVA dijo" -> "Y Jehová dijo".

    Case, and the accents that capitals lack, follow the most frequent form in the rest of the edition.
    """
    counts = Counter(word for text in verses.values() for word in re.findall(r"\w+", text) if not word.isupper())
    forms: dict[str, str] = {}
    for form, _ in counts.most_common():
        forms.setdefault(form.lower(), form)
        forms.setdefault(_unaccented(form).lower(), form)

    def lowered(match: re.Match) -> str:
        words = iter(re.split(r"(\w+)", match[0]))
        opening, first = next(words), next(words)
        rest = (forms.get(word.lower(), word.lower()) for word in words)
        first = forms.get(first.lower(), first)
        return opening + first[0].upper() + first[1:].lower() + "".join(rest)

    return {reference: _LEADING_CAPITALS.sub(lowered, text) for reference, text in verses.items()}


def _unaccented(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
