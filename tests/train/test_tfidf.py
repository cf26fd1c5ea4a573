from veilleur.labels.rows import LabelledParagraph
from veilleur.train.tfidf import TfidfSettings, fit_tfidf, tfidf_logits

TOPICS = ("cybercrime", "migration", "drugs", "trafficking", "fire-rescue", "maritime")


def test_the_baseline_learns_words_and_reads_accents_and_apostrophes_alike(
    article_rows: list[LabelledParagraph],
) -> None:
    model = fit_tfidf(article_rows, TOPICS, TfidfSettings())
    texts = [
        "La lutte contre la drogue",
        "La coopération économique",
        "l’immigration illégale",
        "l'immigration illegale",
    ]
    logits = tfidf_logits(model, [LabelledParagraph(text, text, ()) for text in texts])
    assert logits.shape == (4, 6)
    assert logits[0, 2] > logits[1, 2]
    assert logits[2, 1] > logits[1, 1]
    assert abs(logits[2, 1] - logits[3, 1]) < 1e-9
