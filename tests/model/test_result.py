from veilleur import BulletinTagging, SegmentTagging, Tagging


def tagging(*topics: str) -> Tagging:
    return Tagging(topics, {"drugs": 0.9 if "drugs" in topics else 0.1}, {"drugs": 0.5})


def test_carriers_name_the_segments_of_each_topic_but_no_link_lines() -> None:
    segments = (
        SegmentTagging("a.000", "title", "Saisie", tagging()),
        SegmentTagging("a.001", "link", ">> Drogue", tagging("drugs")),
        SegmentTagging("a.002", "paragraph", "De la drogue", tagging("drugs")),
    )
    bulletin = BulletinTagging("a", "Saisie", None, segments, ("drugs",))
    assert bulletin.carriers == {"drugs": ("a.002",)}
    assert bulletin.to_dict()["carriers"] == {"drugs": ["a.002"]}
    assert bulletin.to_dict()["segments"][2]["scores"] == {"drugs": 0.9}
