from pathlib import Path

import pandas as pd
import pytest

from mer.datasets import DATASETS
from mer.datasets.samples import conform
from mer.evaluation.protocols.protocol import (
    PROTOCOLS,
    WITHOUT,
    Protocol,
    ProtocolError,
    find_protocol,
    read_protocol,
)

# Annotated label -> number of clips, as the composite's databases come; the last of each do not take part.
DATABASES = {
    "casme2": ({"Disgust": 61, "repression": 27, "happiness": 32, "surprise": 25, "others": 99, "sadness": 7}, 24),
    "samm": ({"Anger": 57, "Contempt": 12, "Disgust": 9, "Fear": 8, "Sadness": 6, "Happiness": 26, "Surprise": 15,
              "Other": 26}, 28),
    "smic": ({"negative": 70, "positive": 51, "surprise": 43}, 16),
}  # fmt: skip


def composite() -> pd.DataFrame:
    rows = []
    for dataset, (labels, people) in DATABASES.items():
        clips = [label for label, n in labels.items() for _ in range(n)]
        rows += [
            {"dataset": dataset, "subject": f"s{i % people:02}", "clip": f"c{i}", "onset": 1, "label": label}
            for i, label in enumerate(clips)
        ]
    dropped = [("sub04", "EP12_01f"), ("sub05", "EP09_05f")]
    rows += [
        {"dataset": "casme2", "subject": subject, "clip": clip, "onset": 1, "label": "disgust"}
        for subject, clip in dropped
    ]
    return conform(pd.DataFrame(rows))


def test_the_composite_has_442_clips_of_68_people():
    protocol = PROTOCOLS["megc2019"]
    chosen, left_out = protocol.select(composite())
    assert chosen["class"].value_counts().to_dict() == {"negative": 250, "positive": 109, "surprise": 83}
    folds = list(protocol.folds(chosen))
    assert len(folds) == 68
    assert left_out.sum() == 99 + 7 + 26 + 2
    assert any("EP12_01f" in reason for reason in left_out.index)


def test_later_sheets_of_casme2_give_the_same_clips():
    later = [("EP02_07", "disgust"), ("EP07_01", "surprise"), ("EP07_04f", "surprise"), ("EP10_03", "surprise")]
    rows = [
        {"dataset": "casme2", "subject": "sub24", "clip": clip, "onset": 1, "label": label} for clip, label in later
    ]
    table = pd.concat([composite(), conform(pd.DataFrame(rows))], ignore_index=True)
    chosen, left_out = PROTOCOLS["megc2019"].select(table)
    assert len(chosen) == 442
    assert not chosen["clip"].isin([clip for clip, _ in later]).any()
    assert any("EP10_03, surprise only in later sheets" in reason for reason in left_out.index)


@pytest.mark.parametrize(
    ("dataset", "name", "change", "words"),
    [
        ("samm", "Fear", -1, ["441 clips", "samm", "91 negative", "not 92"]),
        ("smic", "surprise", 1, ["443 clips", "smic", "44 surprise", "not 43"]),
        ("casme2", "surprise", 3, ["casme2 has 28 surprise", "20140508"]),
    ],
)
def test_other_counts_are_rejected_by_database_and_class(dataset, name, change, words):
    table = composite()
    rows = table[(table["dataset"] == dataset) & (table["label"] == name)]
    if change < 0:
        table = table.drop(rows.index[:1])
    else:
        more = [rows.iloc[:1].assign(clip=f"more{i}") for i in range(change)]
        table = pd.concat([table, *more], ignore_index=True)
    with pytest.raises(ProtocolError) as error:
        PROTOCOLS["megc2019"].select(table)
    assert all(word in str(error.value) for word in words), error.value


def test_a_missing_database_and_mixed_up_people_are_named():
    table = composite()
    with pytest.raises(ProtocolError, match="no clip of smic"):
        PROTOCOLS["megc2019"].select(table[table["dataset"] != "smic"])
    table.loc[(table["dataset"] == "samm") & (table["subject"] == "s01"), "subject"] = "s00"
    with pytest.raises(ProtocolError, match="samm has 27 people, not 28"):
        PROTOCOLS["megc2019"].select(table)


def test_the_composite_takes_classes_and_their_numbers_as_labels():
    table = composite()
    numbers = {"negative": "0", "positive": "1", "surprise": "2"}
    table.loc[table["dataset"] == "smic", "label"] = table["label"].map(numbers)
    assert len(PROTOCOLS["megc2019"].select(table)[0]) == 442


def test_a_folder_of_another_database_is_refused():
    table = composite().assign(dataset="videos")
    with pytest.raises(ProtocolError, match="videos is not one of the databases casme2, samm, smic"):
        PROTOCOLS["megc2019"].select(table)


def small(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    base = {"dataset": ["a"] * n, "subject": [f"s{i}" for i in range(n)], "clip": ["c"] * n, "onset": [0] * n}
    return conform(pd.DataFrame({**base, **columns}))


def test_loso_takes_all_labels_in_any_case_and_leaves_blanks_out():
    loso = PROTOCOLS["loso"]
    chosen, left_out = loso.select(small(label=["Happy", "happy ", "SAD", ""]))
    assert loso.classes_of(chosen) == ("happy", "sad")
    assert left_out.to_dict() == {"a: no label": 1}


def test_equal_names_in_two_databases_are_two_people():
    table = small(label=["x", "y", "x"], dataset=["a", "b", "b"], subject=["01", "01", "02"])
    chosen, _ = PROTOCOLS["loso"].select(table)
    assert [name for name, _, _ in PROTOCOLS["loso"].folds(chosen)] == ["a/01", "b/01", "b/02"]


def test_folds_share_no_person_and_test_every_clip_once():
    chosen, _ = PROTOCOLS["megc2019"].select(composite())
    people = (chosen["dataset"] + chosen["subject"]).to_numpy()
    tested = []
    for _, train, test in PROTOCOLS["megc2019"].folds(chosen):
        assert not set(people[train]) & set(people[test])
        assert len(train) + len(test) == len(chosen)
        tested.extend(test)
    assert sorted(tested) == list(range(442))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": ["x", "y"], "subject": ["s", "s"], "clip": ["1", "2"]}, "one person, a/s"),
        ({"label": ["x", "y"], "subject": ["s", ""]}, "no subject"),
        ({"label": ["x", "x"], "subject": ["s", "s"]}, "a/s/c with onset 0 is in the table twice"),
        ({"label": ["", ""]}, "a: no label"),
        ({"label": ["x", "x"]}, "all clips have the label 'x'"),
    ],
)
def test_tables_without_folds_get_one_clear_error(columns, words):
    loso = PROTOCOLS["loso"]
    with pytest.raises(ProtocolError, match=words):
        chosen, _ = loso.select(small(**columns))
        list(loso.folds(chosen))
        loso.classes_of(chosen)


def test_your_own_protocol(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "classes: [low, high]\nlabels:\n  a: {Calm: low, Joy: high}\ncounts:\n  a: {low: 1, high: 2}\n"
        'drop:\n  - {dataset: a, subject: "006", clip: c}\n'
    )
    protocol = find_protocol(file)
    chosen, left_out = protocol.select(
        small(label=["calm", "JOY", "high", "joy", "odd"], subject=["1", "2", "3", "006", "5"])
    )
    assert chosen["class"].tolist() == ["low", "high", "high"]
    assert set(left_out.index) == {"a: 006/c, dropped by the protocol", "a: label 'odd' has no class"}


def test_the_example_of_the_docs_can_be_read(tmp_path):
    text = (Path(__file__).parents[3] / "docs/protocols.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    protocol = read_protocol(tmp_path / "mine.yaml")
    assert protocol.class_of("casme2", "Disgust") == "rest"
    assert protocol.class_of("samm", "other") is None
    assert all(f"`{name}`" in text for name in PROTOCOLS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clases: [a]", "unknown key clases"),
        ("classes: [a\n", "not YAML"),
        ("- a", "expected keys"),
        ("labels: [a]", "labels: expected keys"),
        ("split: clips", "split is person, dataset"),
        ("split: {folds: 1}", "a number above 1"),
        ("split: {folds: {a: [x], b: [x]}}", "each in one fold"),
        ("split: {train: [a], test: [a]}", "none in common"),
        ("units: [four]", "numbers such as 4"),
        ("units: [4]\nclasses: [a, b]", "not both"),
        ("classes: [A, b]", "lower case"),
        ("classes: [a, b]\nlabels: {x: {joy: c}}", "c is not one of the classes"),
        ("classes: [a, no]", 'classes: write no in quotes, such as "no"$'),
        ("classes: [a, Yes]\nspotting: {recognize: true}", "write True in quotes"),  # which of the two isn't known
        ("classes: [a, 2020-01-01]", 'write 2020-01-01 in quotes, such as "2020-01-01"'),
        ("classes: [a, [b]]", r"classes: expected a text, found \['b'\]"),
        ("classes: [a, b]\ndrop: [{dataset: x, subject: 006, clip: c}]", 'drop: write 006 in quotes, such as "006"'),
        ("classes: [a, b]\ndrop: [{dataset: x}]", "drop"),
        ("classes: [a, b]\ncounts: {x: {a: many}}", "many"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_wrong_files_are_refused_with_the_reason(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ProtocolError, match=words):
        read_protocol(tmp_path / "mine.yaml")


def test_unknown_names_are_refused():
    with pytest.raises(ProtocolError, match=r"megc2020.*loso.*megc2019"):
        find_protocol("megc2020")
    with pytest.raises(ProtocolError, match="cannot read"):
        find_protocol("nowhere.yaml")
    with pytest.raises(KeyError, match="'nothing'"):
        PROTOCOLS["nothing"]


def test_the_hash_is_of_the_rules():
    a = Protocol("a", title="one", classes=("x", "y"))
    assert a.sha256 == Protocol("b", title="two", classes=("x", "y")).sha256
    assert a.sha256 != Protocol("a", title="one", classes=("y", "x")).sha256


def test_every_protocol_can_be_read_and_names_its_source():
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert protocol.title
        assert protocol.source


# Clips and, where they are known, people of each protocol, as published.
PUBLISHED = {
    "casme2-3": (145, 24), "casme2-5": (246, None), "casme2-7": (255, 26), "samm-3": (133, 28), "samm-5": (136, None),
    "smic": (164, 16), "megc2019": (442, 68), "megc2019-lodo": (442, 68), "megc2018-cde": (253, 47),
    "megc2018-hde": (253, 47), "casme3-3": (699, None), "casme3-4": (860, 94), "casme3-7": (860, 94),
    "casme2-to-smic": (309, 40), "cd6me": (2020, None),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name):
    protocol = PROTOCOLS[name]
    first = [n[0] if isinstance(n, tuple) else n for row in protocol.counts.values() for n in row.values()]
    clips, people = PUBLISHED[name]
    if name == "cd6me":  # the numbers of the paper are those of the later sheets
        first = [max(n) if isinstance(n, tuple) else n for row in protocol.counts.values() for n in row.values()]
        clips = 2031 + (195 - 189)
    assert sum(first) == clips
    assert people is None or sum(protocol.people.values()) == people


def test_the_documented_protocols_exist():
    promised = """loso casme2-3 casme2-5 casme2-7 samm-3 samm-5 smic megc2019 megc2018-cde megc2018-hde casme3-3
        casme3-4 casme3-7 mmew 4dme dfme cd6me"""
    assert set(promised.split()) <= set(PROTOCOLS)
    assert next(iter(PROTOCOLS)) == "loso"


def test_releases_may_differ_in_their_numbers():
    labels = {"happiness": 32, "disgust": 64, "repression": 27, "surprise": 28, "others": 99}
    rows = [
        {"dataset": "casme2", "subject": "s", "clip": f"{label}{i}", "label": label}
        for label, n in labels.items()
        for i in range(n)
    ]
    table = conform(pd.DataFrame(rows))
    assert len(PROTOCOLS["casme2-5"].select(table)[0]) == 250
    with pytest.raises(ProtocolError, match="casme2 has 27 surprise clips, not 25 or 28"):
        PROTOCOLS["casme2-5"].select(table.drop(table.index[table["label"] == "surprise"][:1]))


def test_objective_classes_are_labels_and_two_of_them_do_not_take_part():
    class_of = PROTOCOLS["megc2018-cde"].class_of
    assert [class_of("samm", label) for label in ("II", "v", "VII", "disgust")] == ["ii", "v", None, None]


def test_emotions_where_objective_classes_are_needed_get_a_hint():
    with pytest.raises(ProtocolError, match=r"label 'disgust' has no class.*the labels are the objective classes of"):
        PROTOCOLS["megc2018-hde"].select(composite())


def test_units_of_a_clip_are_those_that_the_protocol_detects():
    class_of = PROTOCOLS["cd6me"].class_of
    assert class_of("samm", "anything", "12+L4+43E") == "4+12"
    assert class_of("samm", "", "43") == "none"
    assert class_of("smic", "", "4") is None


@pytest.mark.parametrize(
    ("name", "dataset", "dropped"),
    [
        ("casme2-5", "casme2", []),
        ("casme2-7", "casme2", []),
        ("casme2-3", "casme2", [("sub04", "EP12_01f"), ("sub05", "EP09_05f")]),
        ("samm-3", "samm", []),
        ("samm-5", "samm", []),
        ("casme3-3", "casme3", []),
        ("casme3-4", "casme3", []),
        ("casme3-7", "casme3", []),
    ],
)
def test_labels_are_those_that_the_databases_are_read_with(name, dataset, dropped):
    """The first published sheet of a database, as its loader spells its labels, gives the protocol's counts."""
    published = DATASETS[dataset].published[0]
    labels = [label for label, n in published.labels.items() for _ in range(n)]
    people = PROTOCOLS[name].people.get(dataset, published.people)
    rows = [{"dataset": dataset, "clip": f"c{i}", "onset": i, "label": label} for i, label in enumerate(labels)]
    table = conform(pd.DataFrame(rows))
    if PROTOCOLS[name].class_of(dataset, "others") is None and PROTOCOLS[name].class_of(dataset, "other") is None:
        table = table[~table["label"].isin(["others", "other"])].reset_index(drop=True)
    table["subject"] = [f"s{i % people:02}" for i in table.index]
    for i, (subject, clip) in zip(table.index[table["label"] == "disgust"], dropped):
        table.loc[i, ["subject", "clip"]] = subject, clip
    chosen, _ = PROTOCOLS[name].select(table)
    assert sorted(set(chosen["class"])) == sorted(PROTOCOLS[name].classes)


def test_a_spotting_protocol_names_the_two_commands():
    with pytest.raises(ProtocolError, match=r"^strs scores spotted .*`mer evaluate spotted --protocol strs`$"):
        PROTOCOLS["strs"].select(small(label=["x"]))


def test_if_no_clip_takes_part_the_three_most_common_reasons_are_given():
    protocol = Protocol("p", labels={"a": {"x": "x"}}, hints={"a": "Look here.", "b": "And there."})
    table = small(label=list("ppppqqqrrs"), dataset=["a"] * 10)
    with pytest.raises(ProtocolError) as error:
        protocol.select(table)
    why = "; ".join(f"a: label {label!r} has no class ({n})" for label, n in (("p", 4), ("q", 3), ("r", 2)))
    assert str(error.value) == f"p: no clip of the table takes part: {why}; Look here."
    with pytest.raises(ProtocolError) as error:
        protocol.select(small(label=["p", "p"], dataset=["a", "b"]))
    assert str(error.value).endswith("; Look here.; And there.")
    with pytest.raises(ProtocolError, match=r"p: no clip of the table takes part: the table is empty$"):
        protocol.select(small(label=["p"])[:0])
    with pytest.raises(ProtocolError, match="takes part: a blank database is not one of the databases a "):
        protocol.select(small(label=["x"], dataset=[""]))


def test_wrong_numbers_are_reported_by_database():
    counts = {"a": {"x": 1, "y": 1}, "b": {"*": (2, 3)}}
    protocol = Protocol("p", classes=("x", "y"), counts=counts, people={"c": 1})
    full = small(label=["x", "y", "x", "x", "x"], dataset=["a", "a", "b", "b", "c"])
    assert len(protocol.select(full)[0]) == 5
    with pytest.raises(ProtocolError) as error:
        protocol.select(full.assign(label=["x", "x", "x", "", "x"]))
    assert str(error.value) == (
        "p: 4 clips, the protocol has 4: a has 2 x clips, not 1, a has 0 y clips, not 1; b has 1 clips, not 2 or 3"
    )
    with pytest.raises(ProtocolError, match=r"not 1; there is no clip of b$"):
        protocol.select(full.assign(label=["x", "", "", "", "x"]))


def test_people_of_all_databases_together_are_counted_once():
    protocol = Protocol("p", people={"*": 3})
    assert len(protocol.select(small(label=["x", "y", "x"]))[0]) == 3
    with pytest.raises(ProtocolError, match=r"^p: 2 people, not 3$"):
        protocol.select(small(label=["x", "y", "x"], subject=["1", "2", "2"], clip=["1", "2", "3"]))
    # Where a database's own number differs already, that alone is told.
    with pytest.raises(ProtocolError, match=r"^p: a has 2 people, not 1$"):
        Protocol("p", people={"a": 1, "*": 3}).select(small(label=["x", "y"]))


@pytest.mark.parametrize("key", ["dataset", "subject", "clip", "label"])
def test_a_clip_is_dropped_only_if_all_keys_match(key):
    entry = {"dataset": "a", "subject": "S0", "clip": "C", "label": "X", "why": "it is blurred"}
    table = small(label=["x", "y"])
    _, left_out = Protocol("p", drop=(entry,)).select(table)
    assert left_out.to_dict() == {"a: s0/c, it is blurred": 1}
    assert not len(Protocol("p", drop=({**entry, key: "other"},)).select(table)[1])


def test_units_are_absent_or_present():
    assert PROTOCOLS["cd6me"].classes_of(small(label=["x"])) == ("absent", "present")


def test_folds_are_those_of_the_protocols_split():
    split = {"folds": {"one": ["s0", "s1"], "two": ["s2"]}}
    table = small(label=["x", "y", "x"])
    assert [name for name, _, _ in Protocol("p", split=split).folds(table)] == ["one", "two"]


def test_a_repeated_key_or_a_blank_subject_is_refused():
    table = small(label=["x", "y"], subject=["s", "s"], apex=[3, 4])
    with pytest.raises(ProtocolError, match="a/s/c with onset 0 is in the table twice"):
        PROTOCOLS["loso"].select(table)
    with pytest.raises(ProtocolError, match=r"^row 2, clip 'c', has no subject, which folds by person need$"):
        PROTOCOLS["loso"].select(small(label=["x", "y"], subject=["s", " "]))


def test_a_protocol_is_found_by_name_and_by_either_ending(tmp_path):
    assert find_protocol("smic").name == "smic"
    for ending in ("yaml", "yml"):
        (tmp_path / f"mine.{ending}").write_text("classes: [a, b]")
        assert find_protocol(tmp_path / f"mine.{ending}").classes == ("a", "b")
    with pytest.raises(
        ProtocolError, match=r"^no protocol 'nothing'; choose from loso, 4dme, .*, or give your own \.yaml file"
    ):
        find_protocol("nothing")


def test_a_count_of_zero_is_checked():
    protocol = Protocol("p", classes=("x", "y"), counts={"a": {"x": 2, "y": 0}})
    assert len(protocol.select(small(label=["x", "x"]))[0]) == 2
    with pytest.raises(ProtocolError, match="a has 1 y clips, not 0"):
        protocol.select(small(label=["x", "x", "y"]))


def test_a_clip_without_annotated_units_has_none():
    assert PROTOCOLS["cd6me"].class_of("samm", "anything") == "none"


def test_a_file_is_read_by_its_path_as_text_and_named_by_its_stem(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: Ä\nclasses: [a, b]", encoding="utf-8")
    assert read_protocol(str(file)) == read_protocol(file) == Protocol("mine", title="Ä", classes=("a", "b"))
    assert read_protocol(file, "other").name == "other"


def test_errors_of_a_file_are_one_line(tmp_path):
    file = tmp_path / "mine.yaml"
    for text, message in (
        ("classes: [a\nb: c]: d", r"is not YAML: while parsing a flow sequence in .* expected ',' or '\]', but got .*"),
        ("[a]", "expected keys such as classes and labels, found list"),
        ("clases: a\n1: b\nname: c", "unknown key clases, 1, name; the keys are title, source, classes, labels, .*"),
    ):
        file.write_text(text)
        with pytest.raises(ProtocolError, match=rf"mine\.yaml:? {message}$"):
            read_protocol(file)


def test_protocols_are_found_in_the_package_or_in_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    assert PROTOCOLS["smic"].name == "smic"  # of the checkout
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "own.yaml").write_text("title: A\nsource: B\n")
    assert list(PROTOCOLS) == ["own"]


def test_counts_of_some_classes_give_no_total(tmp_path):
    path = tmp_path / "part.yaml"
    path.write_text("title: A\nsource: B\nclasses: [a, b]\ncounts: {d: {a: 3}}\n")
    table = conform(pd.DataFrame({"dataset": "d", "subject": ["1", "2"], "clip": "c", "label": ["a", "b"]}))
    with pytest.raises(ProtocolError, match=r"^part: d has 1 a clips, not 3"):
        read_protocol(path).select(table)


def test_a_repeated_clip_is_reported_before_wrong_numbers():
    table = composite()
    table = pd.concat([table, table[table["dataset"] == "smic"].iloc[:1]], ignore_index=True)
    with pytest.raises(ProtocolError, match="smic/s00/c0 with onset 1 is in the table twice; remove one row"):
        PROTOCOLS["megc2019"].select(table)


def test_two_spellings_of_a_person_are_one_person():
    table = small(label=["x", "y", "x"], dataset=["casme2"] * 3, subject=["1", "sub01", "2"], clip=["a", "b", "a"])
    assert Protocol("p", people={"casme2": 2}).differences(table.assign(**{"class": table["label"]})) == []
    with pytest.raises(ProtocolError, match="casme2/sub01/a with onset 0 is in the table twice"):
        PROTOCOLS["loso"].select(table.assign(clip="a"))


def test_clips_without_readable_units_are_counted_and_a_database_of_them_is_refused():
    protocol = Protocol("units", units=(4, 12))
    table = small(aus=["4", "?", "", "12(k)", "soft focus"], dataset=["a", "a", "a", "b", "b"])
    chosen, left_out = protocol.select(table)
    assert chosen["class"].tolist() == ["4", "none", "none", "none", "none"]
    assert left_out.to_dict() == {f"{WITHOUT}a": 2, f"{WITHOUT}b": 1}
    with pytest.raises(
        ProtocolError, match=r"^units: no clip of b has a readable action unit .*with a sheet that has action units$"
    ):
        protocol.select(table.assign(aus=["4", "4", "4", "?", " "]))
    with pytest.raises(ProtocolError, match="cd6me: no clip of casme2 has a readable action unit"):
        PROTOCOLS["cd6me"].select(small(aus=["", "?"], dataset=["casme2"] * 2))
