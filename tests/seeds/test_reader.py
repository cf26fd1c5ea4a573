import hashlib
import pickle
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from veilleur.errors import VeilleurError
from veilleur.seeds import articles, composed
from veilleur.seeds.reader import Bulletin, read_bulletin, read_bulletin_file, read_folder, slugify
from veilleur.seeds.text import normalise

# SHA-256 of the five raw articles as they came.
ORIGINALS = {
    "vietnam-france-2021-11": "a7af12ebb92df911bd9faab70bd621ba1d764d10ffad2bfabc99064de87e91c1",
    "vietnam-france-2025": "7b9ddbd29fd30c56372203eec364715176c3b617221d86bcf3efad077f211f30",
    "vietnam-laos-2024-10": "764edd866d53a5577c85883e0b7785fc893f72f187d3d07d02629ba755e8f9a4",
    "vietnam-inde-2024-12": "141bdbd345450440b776e1cf6426b118889d4b50cf52c0be77b28c88f168b35f",
    "vietnam-etats-unis-2025-09": "32643fc117e61edd5ab34f699cacf46df1fbfdc86b527868cc5a0c38ca8e709d",
}
LEAD = "Une conférence sur la lutte contre la drogue s'est tenue à Hanoï."


def pieces(bulletin: Bulletin) -> list[tuple[str, str]]:
    return [(segment.kind, segment.text) for segment in bulletin.segments]


def article(slug: str) -> Bulletin:
    return next(bulletin for bulletin in articles() if bulletin.slug == slug)


# The shipped articles


def test_articles_hold_the_originals_byte_for_byte() -> None:
    found = {
        slug: files("veilleur.seeds").joinpath("articles", f"{slug}.md").read_bytes().split(b"\n---\n", 1)[1]
        for slug in ORIGINALS
    }
    assert {slug: hashlib.sha256(body).hexdigest() for slug, body in found.items()} == ORIGINALS
    assert {bulletin.slug for bulletin in articles()} == ORIGINALS.keys()


@pytest.mark.parametrize(
    ("slug", "kinds"),
    [
        ("vietnam-france-2021-11", "paragraph caption paragraph*7 byline"),
        ("vietnam-france-2025", "title link*2 caption paragraph*7 byline"),
        ("vietnam-laos-2024-10", "title paragraph caption paragraph*7 byline menu"),
        ("vietnam-inde-2024-12", "date title paragraph*9"),
        ("vietnam-etats-unis-2025-09", "date title paragraph link*2 caption paragraph*10 byline"),
    ],
)
def test_articles_are_read_into_the_kinds_a_reader_sees(slug: str, kinds: str) -> None:
    expected = []
    for word in kinds.split():
        kind, _, times = word.partition("*")
        expected += [kind] * int(times or 1)
    assert [segment.kind for segment in article(slug).segments] == expected


def test_the_title_we_gave_an_article_is_none_of_its_text() -> None:
    bulletin = article("vietnam-france-2021-11")
    assert bulletin.title == "Entretien du général To Lam avec le ministre français de l'Intérieur Gérald Darmanin"
    assert all(segment.kind != "title" for segment in bulletin.segments)


def test_related_items_are_bulletins_of_their_own() -> None:
    bulletin = article("vietnam-laos-2024-10")
    assert [item.slug for item in bulletin.related] == [f"vietnam-laos-2024-10-rel-{n}" for n in range(1, 6)]
    kinds = [[segment.kind for segment in item.segments] for item in bulletin.related]
    assert kinds == [
        ["caption", "title", "paragraph"],
        ["title", "paragraph"],
        *[["caption", "title", "paragraph"]] * 3,
    ]
    assert bulletin.related[1].title == "Le SG du Parti To Lam rend hommage aux anciens SG Tran Phu et Ha Huy Tap"
    assert not any("Costa" in segment.text for segment in bulletin.segments)
    assert bulletin.related[0].metadata["origin"] == "article"
    assert not any(other.related for other in articles() if other is not bulletin)


def test_dates_of_articles() -> None:
    dates = {bulletin.slug: bulletin.date for bulletin in articles()}
    assert dates["vietnam-inde-2024-12"] == "2024-12"
    assert dates["vietnam-etats-unis-2025-09"] == "2025-09-06"
    assert dates["vietnam-france-2021-11"] is None


def test_ids_are_unique_over_everything_shipped() -> None:
    ids = [
        segment.id
        for bulletin in (*articles(), *composed())
        for one in (bulletin, *bulletin.related)
        for segment in one.segments
    ]
    assert len(ids) == len(set(ids))


def test_ids_of_articles_do_not_drift() -> None:
    # Labels refer to these: a change of the reader that moves them orphans every hand label.
    every = "\n".join(
        segment.id for bulletin in articles() for one in (bulletin, *bulletin.related) for segment in one.readable
    )
    assert (
        hashlib.sha256(every.encode()).hexdigest() == "a8ce5f497bbc8ea6c8de33515ef23fd308a4c0637233d13d4c54bda583b6d560"
    )


# Front matter, title and date


def test_composed_form_puts_the_title_at_position_0() -> None:
    head = "---\ntitle: Saisie au port\ndate: 2026-02-03\norigin: composed\n---\n"
    raw = f"{head}\nPremier paragraphe.\n\nSecond.\n"
    bulletin = read_bulletin(raw, slug="x")
    assert pieces(bulletin) == [
        ("title", "Saisie au port"),
        ("paragraph", "Premier paragraphe."),
        ("paragraph", "Second."),
    ]
    assert bulletin.segments[0].id.startswith("x.000.")
    assert bulletin.date == "2026-02-03"
    assert bulletin.metadata["origin"] == "composed"


@pytest.mark.parametrize(
    "first", ["L’accord signé", "L'accord signé", "date 2024-12 L'accord signé", "L'accord signé."]
)
def test_a_title_that_the_body_repeats_is_one_segment(first: str) -> None:
    bulletin = read_bulletin(f"---\ntitle: L'accord signé\n---\n{first}\n\nDu texte.")
    assert [segment.kind for segment in bulletin.segments].count("title") == 1
    assert sum("accord" in segment.text for segment in bulletin.segments) == 1


def test_front_matter_title_does_not_swallow_another_first_line() -> None:
    bulletin = read_bulletin("---\ntitle: Le titre\n---\nUne autre ligne\n\nDu texte.")
    assert pieces(bulletin)[:2] == [("title", "Le titre"), ("paragraph", "Une autre ligne")]


def test_quoted_front_matter_and_colons_in_values() -> None:
    bulletin = read_bulletin('---\ntitle: "Mer : deux morts"\nempty:\n---\nDu texte.')
    assert bulletin.title == "Mer : deux morts"
    assert bulletin.metadata["empty"] == ""


@pytest.mark.parametrize("raw", ["---\nCeci n'est pas un en-tête\n---\nTexte.", "---\nclef: jamais close\nTexte."])
def test_what_is_not_front_matter_stays_text(raw: str) -> None:
    bulletin = read_bulletin(raw)
    assert bulletin.metadata == {}
    assert "Texte." in [segment.text for segment in bulletin.segments]


@pytest.mark.parametrize(
    ("line", "date", "text"),
    [
        (" date 2024-12 Le Vietnam et l'Inde", "2024-12", "Le Vietnam et l'Inde"),
        ("date 2025-09-06Le Vietnam et l'Inde", "2025-09-06", "Le Vietnam et l'Inde"),
        ("2025-09-06 – Le Vietnam et l'Inde", "2025-09-06", "Le Vietnam et l'Inde"),
        ("date : 2024-12\n\nLe Vietnam et l'Inde", "2024-12", "Le Vietnam et l'Inde"),
        ("Le Vietnam et l'Inde\n\n2024-12-05", "2024-12-05", "Le Vietnam et l'Inde"),
        (
            "Publié le 5 novembre 2021\n\nLe Vietnam et l'Inde",
            "Publié le 5 novembre 2021",
            "Le Vietnam et l'Inde",
        ),
        ("2025-03-12T14:32:00+01:00\n\nLe Vietnam et l'Inde", "2025-03-12", "Le Vietnam et l'Inde"),
        ("2025-03-12 14:32\n\nLe Vietnam et l'Inde", "2025-03-12", "Le Vietnam et l'Inde"),
        *(
            (f"{line}\n\nLe Vietnam et l'Inde", line, "Le Vietnam et l'Inde")
            for line in (
                "Publié le 12/03/2025 à 14h32",
                "Lundi 4 août 2025 à 10 h 15",
                "12 mars 2025, 14:32",
                "Publié le : 12 mars 2025",
                "Mis à jour le 12 mars 2025",
                "Date : 12 mars 2025",
            )
        ),
    ],
)
def test_dates_in_the_head(line: str, date: str, text: str) -> None:
    bulletin = read_bulletin(f"{line}\n\nLes deux pays coopèrent.")
    assert bulletin.date == date
    assert bulletin.title == text
    assert [segment.kind for segment in bulletin.segments].count("date") == 1


def test_a_date_in_running_text_is_text() -> None:
    bulletin = read_bulletin("Un paragraphe complet.\n\n2024-12-05\n\nDu texte.")
    assert bulletin.date is None


@pytest.mark.parametrize(
    "only",
    [
        "Une ligne courte",
        "Une phrase entière.\n\nUne autre.",
        "Il a dit :\n\nOui.",
        "Hanoï (VNA) – Une brève\n\nOui.",
        "Ils ont signé. -VNA\n\nOui.",
    ],
)
def test_not_a_title(only: str) -> None:
    assert read_bulletin(only).title is None


# Kinds


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (">> Flux d'IDE : l'Europe séduite", "link"),
        ("&gt;&gt; Flux d'IDE", "link"),
        ("VNA/CVN", "byline"),
        ("-VNA", "byline"),
        ("AFP/VNA/CVN", "byline"),
        ("Panorama de la conférence. Photo: VNA", "caption"),
        ("Photo\u00a0: VNA/CVN", "caption"),
        ("Le port de Marseille (© AFP)", "caption"),
        ("Lire aussi", "menu"),
        ("Il prit une photo : celle du port, qui devait le perdre.", "paragraph"),
        ("La VNA a confirmé.", "paragraph"),
    ],
)
def test_kinds_by_form(line: str, kind: str) -> None:
    bulletin = read_bulletin(f"Un titre\n\nUn paragraphe.\n\n{line}\n\nUn autre.")
    assert bulletin.segments[2].kind == kind


@pytest.mark.parametrize(("end", "byline"), [("Vietnam.- VNA", "- VNA"), ("Vietnam. -VNA", "-VNA")])
def test_a_byline_glued_to_a_paragraph_comes_apart(end: str, byline: str) -> None:
    found = pieces(read_bulletin(f"Ils ont signé au {end}"))
    assert found == [("paragraph", "Ils ont signé au Vietnam."), ("byline", byline)]


def test_readable_leaves_out_dates_and_menus() -> None:
    raw = "date 2024-12 Titre\n\nTexte.\n\n>> lien\n\nPhoto : VNA\n\nVNA/CVN\n\nLire aussi\n"
    kinds = [segment.kind for segment in read_bulletin(raw).readable]
    assert kinds == ["title", "paragraph", "link", "caption", "byline"]


# Repetitions


@pytest.mark.parametrize("second", [LEAD, f"Hanoï (VNA) - {LEAD}", f"Hanoï, 14 octobre (VNA) – {LEAD}"])
def test_a_repeated_lead_is_dropped(second: str) -> None:
    found = pieces(read_bulletin(f"Titre\n\n{LEAD}\n\n{second}\n\nSuite."))
    assert found == [("title", "Titre"), ("paragraph", LEAD), ("paragraph", "Suite.")]


def test_a_lead_that_says_more_stays() -> None:
    longer = f"Hanoï (VNA) - {LEAD} Elle a duré deux jours."
    assert ("paragraph", longer) in pieces(read_bulletin(f"Titre\n\n{LEAD}\n\n{longer}"))


def test_the_same_said_of_two_places_is_no_repetition() -> None:
    two = ["Le Havre (Normandie) : 12 kg saisis.", "Rouen (Normandie) : 12 kg saisis."]
    found = pieces(read_bulletin("\n\n".join(["Bilan", *two])))
    assert found[1:] == [("paragraph", text) for text in two]


def test_bare_datelines_are_no_repetition_of_each_other() -> None:
    found = pieces(read_bulletin("Titre\n\nDu texte.\n\nHanoï (VNA) -\n\nParis (AFP) -"))
    assert found[2:] == [("paragraph", "Hanoï (VNA) -"), ("paragraph", "Paris (AFP) -")]


def test_repeated_captions_and_titles_are_kept_once() -> None:
    raw = "Titre\n\nTitre\n\nVue. Photo: VNA\nVue. Photo: VNA\n\nTexte."
    assert [kind for kind, _ in pieces(read_bulletin(raw))] == ["title", "caption", "paragraph"]


# Layout and encodings


def test_no_blank_lines_every_line_is_a_paragraph() -> None:
    found = pieces(read_bulletin("Titre court\nPremière phrase.\nDeuxième phrase.\nTroisième."))
    assert [kind for kind, _ in found] == ["title", "paragraph", "paragraph", "paragraph"]


def test_runs_of_blank_lines_and_line_ends_do_not_matter() -> None:
    plain = read_bulletin("Titre\n\nUn.\n\nDeux.")
    assert read_bulletin("\n\n Titre\r\n\r\n\r\n \t\r\nUn.\r\n\u00a0\r\nDeux.\r\n\r\n") == plain


def test_items_of_a_list_are_paragraphs() -> None:
    items = [
        "un homme de 19 ans, soupçonné d'être le tireur ;",
        "un homme de 22 ans, soupçonné d'avoir conduit ;",
        "une femme de 31 ans, soupçonnée d'avoir caché les armes.",
    ]
    raw = "Titre\n\n" + "\n".join(items) + "\n\n" + "\n".join(f"• {item}" for item in items)
    assert [text for _, text in pieces(read_bulletin(raw))][1:] == [*items, *(f"• {item}" for item in items)]


def test_a_hard_wrapped_paragraph_is_one() -> None:
    wrapped = (
        "La police a saisi dans le port de Haiphong une cargaison de\n"
        "trois tonnes de bois précieux, cachée sous des sacs de riz,\n"
        "et arrêté deux hommes."
    )
    found = pieces(read_bulletin(f"Titre\n\n{wrapped}\n\nSuite."))
    assert found[1] == ("paragraph", wrapped.replace("\n", " "))
    assert len(found) == 3


def test_form_of_the_text_does_not_change_ids() -> None:
    text = "Sécurité à Hanoï\n\nL’été, « la sûreté » a été renforcée."
    plain = read_bulletin(text)
    assert read_bulletin(text.encode()) == plain
    assert read_bulletin(text.encode("utf-8-sig")) == plain
    assert read_bulletin(text.encode("cp1252")) == plain
    assert read_bulletin("\ufeff" + text) == plain
    assert read_bulletin(text.replace("é", "e\u0301")) == plain
    assert read_bulletin(text.replace("é", "&eacute;").replace(" ", "\u00a0")) == plain


def test_an_edited_text_gets_another_id_and_its_neighbours_do_not() -> None:
    before = read_bulletin("Titre\n\nTrois kilos.\n\nFin.", slug="x")
    after = read_bulletin("Titre\n\nQuatre kilos.\n\nFin.", slug="x")
    changed = [one.id != other.id for one, other in zip(before.segments, after.segments, strict=True)]
    assert changed == [False, True, False]
    expected = hashlib.sha256(b"Trois kilos.").hexdigest()[:8]
    assert before.segments[1].id == f"x.001.{expected}"


@pytest.mark.parametrize("raw", ["", b"", " \n\n\t", "\ufeff", "---\n---\n"])
def test_empty_input(raw: str | bytes) -> None:
    bulletin = read_bulletin(raw)
    assert bulletin.segments == () and bulletin.related == () and bulletin.title is None
    assert bulletin.slug == "bulletin"


def test_related_items_of_every_shape() -> None:
    raw = (
        "Titre\n\nTexte.\n\nVoir plus\n\nSeul titre A\n\nTitre B\n\nTeaser B.\n\n"
        "Vue. Photo : VNA\n\nTitre C\n\nTitre C\n\nTeaser C.\n"
    )
    related = read_bulletin(raw, slug="x").related
    assert [[segment.text for segment in item.segments] for item in related] == [
        ["Seul titre A"],
        ["Titre B", "Teaser B."],
        ["Vue. Photo : VNA", "Titre C", "Teaser C."],
    ]


def test_voir_plus_with_nothing_before_it_hides_nothing() -> None:
    bulletin = read_bulletin("Voir plus\n\nTitre\n\nTexte.")
    assert bulletin.related == ()
    assert bulletin.title == "Titre"


def test_bulletins_survive_pickling_and_hash() -> None:
    bulletin = read_bulletin("Titre\n\nTexte.")
    assert pickle.loads(pickle.dumps(bulletin)) == bulletin
    assert hash(bulletin) == hash(read_bulletin("Titre\n\nTexte."))


# Names and files


@pytest.mark.parametrize(
    ("text", "slug"),
    [("Đà Nẵng : l’œuvre", "da-nang-l-oeuvre"), ("«  »", "bulletin"), ("a" * 80, "a" * 60)],
)
def test_slugify(text: str, slug: str) -> None:
    assert slugify(text) == slug


@given(st.text())
def test_slugs_are_short_and_plain(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", slugify(text))


def test_read_folder(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Titre B\n\nTexte.", encoding="utf-8")
    (tmp_path / "a.md").write_text("Titre A\n\nTexte.", encoding="utf-8")
    (tmp_path / "a.txt").write_text("Titre A2\n\nTexte.", encoding="utf-8")
    (tmp_path / "skip.csv").write_text("x", encoding="utf-8")
    bulletins = read_folder(tmp_path)
    assert [bulletin.slug for bulletin in bulletins] == ["a", "a-2", "b"]
    assert bulletins[1].segments[0].id.startswith("a-2.000.")


def test_errors_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match=r"none\.txt"):
        read_bulletin_file(tmp_path / "none.txt")
    with pytest.raises(VeilleurError, match="nowhere"):
        read_folder(tmp_path / "nowhere")


# Nothing is lost

_TOKENS = "la police Hanoï (VNA) - VNA/CVN >> Photo : VNA . 2024-12 date Le mer, Voir plus 1 « » ! Titre"
_LINE = st.lists(st.sampled_from(_TOKENS.split(" ")) | st.text(max_size=6), max_size=8).map(" ".join)


@given(st.lists(_LINE | st.sampled_from(["", "Voir plus", "VNA/CVN", LEAD]), max_size=14).map("\n".join))
def test_no_word_is_lost(raw: str) -> None:
    assume(not raw.startswith("---"))
    bulletin = read_bulletin(raw)
    kept = [segment.text for one in (bulletin, *bulletin.related) for segment in one.segments]
    words = set(re.findall(r"\w+", " ".join(kept)))
    for line in raw.removeprefix("\ufeff").splitlines():
        clean = normalise(line)
        if not set(re.findall(r"\w+", clean)) <= words:
            # What is gone may only be the dateline of a text that is there already.
            assert any(text and clean.endswith(text) and "(" in clean for text in kept), clean
