import hashlib
from dataclasses import replace

import pandas as pd
import pytest

from mer.evaluation.protocols.protocol import PROTOCOLS, ProtocolError
from tests.evaluation.protocols.test_protocol import composite

CLASSES = ["negative", "positive", "surprise"]


@pytest.fixture
def listed(tmp_path):
    """The composite's protocol with a list of its own, as the organizers write it: the list's file, the protocol."""
    chosen, _ = PROTOCOLS["megc2019"].select(composite())
    rows = [
        f"{row.dataset},{row.subject.removeprefix('s0') if row.dataset == 'samm' else row.subject},{row.clip},"
        f"{CLASSES.index(row[-1])}"
        for row in chosen[["dataset", "subject", "clip", "class"]].itertuples(index=False)
    ]
    file = tmp_path / "combined_3class_gt.csv"
    file.write_bytes("\n".join(rows).encode() + b"\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return file, replace(PROTOCOLS["megc2019"], list_sha256=digest)


def table() -> pd.DataFrame:
    """The composite with subjects as the databases spell them."""
    out = composite()
    number = out["subject"].str.extract(r"(\d+)")[0].astype(int)
    samm = out["dataset"] == "samm"
    out.loc[samm, "subject"] = number[samm].map("{:03}".format)
    return out


def test_the_lists_clips_and_classes_are_taken(listed):
    file, protocol = listed
    samples = table()
    row = samples.index[(samples["dataset"] == "casme2") & (samples["label"] == "surprise")][0]
    samples.loc[row, "label"] = "others"  # a later sheet says otherwise
    chosen, left_out = protocol.select(samples, file)
    assert len(chosen) == 442
    assert chosen.loc[row, "class"] == "surprise"
    assert left_out.sum() == len(samples) - 442
    with pytest.raises(ProtocolError, match="24 surprise clips, not 25"):
        protocol.select(samples)


def test_clips_that_differ_from_the_list_are_named(listed):
    file, protocol = listed
    samples = table()
    samm = samples.index[(samples["dataset"] == "samm") & (samples["label"] == "Fear")][0]
    place = "samm/{subject}/{clip}".format(**samples.loc[samm])
    with pytest.raises(
        ProtocolError, match=rf"^megc2019: 441 clips, the organizers' list has 442; missing: {place} \(negative\)"
    ):
        protocol.select(samples.drop(samm), file)
    more = samples.loc[[samm]].assign(clip="Extra_1")
    with pytest.raises(ProtocolError, match=r"443 clips.*not on the list: samm/\d+/extra_1 \(negative\)"):
        protocol.select(pd.concat([samples, more], ignore_index=True), file)
    twice = samples.loc[[samm]].assign(onset=7)
    with pytest.raises(ProtocolError, match=f"443 clips.*in the table twice: {place}"):
        protocol.select(pd.concat([samples, twice], ignore_index=True), file)
    samples.loc[samm, "label"] = "happiness"
    with pytest.raises(ProtocolError, match=rf"mixed up: {place} \(positive, the list has negative\)"):
        protocol.select(samples, file)


def test_many_clips_are_not_all_named(listed):
    file, protocol = listed
    with pytest.raises(ProtocolError, match=r"278 clips.*missing: smic/.* and 154 more"):
        protocol.select(table().query("dataset != 'smic'"), file)


def test_a_file_that_is_not_the_organizers_is_refused(listed, tmp_path):
    file, protocol = listed
    with pytest.raises(ProtocolError, match=r"not the organizers' list: its SHA-256 is .*, not adf1de4a"):
        PROTOCOLS["megc2019"].select(table(), file)
    windows = tmp_path / "windows.csv"
    windows.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert len(protocol.select(table(), windows)[0]) == 442
    with pytest.raises(ProtocolError, match="cannot read"):
        protocol.select(table(), tmp_path / "nowhere.csv")
    with pytest.raises(ProtocolError, match="loso: this protocol has no organizers' list"):
        PROTOCOLS["loso"].select(table(), file)
