"""The clean-ups of Bible verses, example by example."""

import pytest

from seq2slim.data.corpora.bible_text import clean


@pytest.mark.parametrize(
    ("language", "reference", "text", "wanted"),
    [
        ("en", (1, 2, 3), "God`s\u00a0 [own] first -[fruits]", "God's own first-fruits"),
        ("en", (19, 2, 12), "Blessed are all. Psalm 3 A Psalm by David, when he fled.", "Blessed are all."),
        ("en", (18, 42, 17), "So Job died, full of days. BOOK I Psalm 1", "So Job died, full of days."),
        ("en", (44, 13, 33), "written in the second psalm", "written in the second psalm"),
        ("en", (19, 119, 8), "Don`t forsake me. BEIT", "Don't forsake me."),
        ("en", (19, 119, 160), "It endures forever. SIN AND SHIN", "It endures forever."),
        (
            "en",
            (22, 1, 4),
            "Take me away. Friends We will be glad! Beloved They are right.",
            "Take me away. We will be glad! They are right.",
        ),
        ("en", (22, 1, 1), "The Song, which is Solomon`s. Beloved", "The Song, which is Solomon's."),
        ("en", (22, 5, 1), "Eat, friends! Drink, beloved.", "Eat, friends! Drink, beloved."),
        ("en", (44, 8, 37), "dummy verses inserted by amos", None),
        ("de", (44, 8, 37), "(MISSING) [KJV: And Philip said]", None),
        ("de", (40, 23, 14), "(*)", None),
        ("de", (19, 3, 1), "(Ein Psalm von David.) Jehova! wie viele", "Jehova! wie viele"),
        ("de", (19, 13, 1), "(Dem Vorsänger. Ein Psalm von David.)", None),
        ("de", (1, 22, 23), "(Und Bethuel zeugte Rebekka.) Diese", "(Und Bethuel zeugte Rebekka.) Diese"),
        ("de", (19, 41, 12), "gestellt auf ewig. * * *", "gestellt auf ewig."),
        ("de", (35, 3, 2), "gedenke - so - des Erbarmens! -", "gedenke - so - des Erbarmens!"),
        ("fr", (19, 51, 1), "(51:1) Au chef. (51:2) Lorsque Nathan. (51:3) O Dieu!", "O Dieu!"),
        ("fr", (19, 25, 1), "De David. Éternel! j'élève", "Éternel! j'élève"),
        ("fr", (2, 8, 1), "(7:26) L'Éternel dit", "L'Éternel dit"),
        ("es", (1, 28, 17), "dijo: \xadCuán terrible!", "dijo: ¡Cuán terrible!"),
        ("es", (4, 12, 16), "\t EN el principio", "En el principio"),
        ("es", (19, 13, 1), "Al Músico: Salmo de David. ¿HASTA cuándo?", "¿Hasta cuándo?"),
        ("it", (12, 13, 1), "L’ANNO secondo\n\t\t", "L’anno secondo"),
        ("it", (19, 90, 1), "Orazione di Mosè O SIGNORE, tu ci sei", "O signore, tu ci sei"),
    ],
)
def test_clean_ups(language, reference, text, wanted):
    cleaned = clean({reference: text}, language)
    assert cleaned == ({} if wanted is None else {reference: wanted})


def test_initials_take_case_and_accents_from_the_rest_of_the_edition():
    verses = {
        (1, 1, 1): "Y JEHOVA HABLO: ven.",
        (1, 1, 2): "dijo Jehová y habló Jehová.",
        (1, 1, 3): "TODOS los hombres",
        (1, 1, 4): "I SOY",
    }
    cleaned = clean(verses, "es")
    assert cleaned[1, 1, 1] == "Y Jehová habló: ven."
    assert cleaned[1, 1, 3] == "Todos los hombres"
