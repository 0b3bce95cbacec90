import pytest

from mer.datasets.identifiers import clip_key, database_name, one_spelling, subject_name


@pytest.mark.parametrize(
    ("name", "texts"),
    {
        "casme2": ["casme2", "CASME II", "CASME_II", "CASME 2", "CASMEⅡ", "casmeii"],
        "casme-sq": ["CAS(ME)^2", "CAS(ME)²", "CASME_sq", "casme-sq"],
        "casme3": ["CAS(ME)^3", "CASME III", "casme3"],
        "smic": ["SMIC", "SMIC-HS", "smic_hs", "smic"],
        "smic-vis": ["SMIC-VIS"],
        "samm": ["SAMM", " samm "],
        "samm-lv": ["SAMM-LV", "SAMM Long Videos"],
        "my-faces": ["My Faces"],
    }.items(),
)
def test_databases_have_one_name(name, texts):
    assert {database_name(text) for text in texts} == {name}


@pytest.mark.parametrize(
    ("dataset", "text", "expected"),
    [
        ("casme2", "1", "sub01"),
        ("casme2", "sub01", "sub01"),
        ("casme2", "26.0", "sub26"),
        ("samm", "6", "006"),
        ("samm", "006", "006"),
        ("samm", "10", "010"),
        ("smic", "s1", "s01"),
        ("smic", "s01", "s01"),
        ("dfme", "3", "sub0003"),
        ("my-faces", "07", "07"),
        ("samm", "Anna", "Anna"),
    ],
)
def test_people_have_one_name(dataset, text, expected):
    assert subject_name(dataset, text) == expected


def test_spellings_of_one_clip_have_one_key():
    assert clip_key("SMIC-HS", "s1", "s1_ne_01") == clip_key("smic", "s01", "s01_ne_01")
    assert clip_key("samm", "36", "036_7_3") == clip_key("samm", "036", "036_7_3 ")
    assert clip_key("casme2", "sub01", "EP02_01f") != clip_key("casme2", "sub01", "EP02_01")


@pytest.mark.parametrize(("a", "b"), [("P1", "p1"), ("01", "1"), ("Sub 01", "sub1"), ("sub01", "sub_1")])
def test_people_in_two_spellings_are_one_person_with_a_warning(a, b):
    with pytest.warns(UserWarning, match=f"one person: {a}, {b}"):
        names = one_spelling([("mine", a), ("mine", b), ("other", b), ("mine", "11")])
    assert names == {("mine", a): a, ("mine", b): a, ("other", b): b, ("mine", "11"): "11"}
