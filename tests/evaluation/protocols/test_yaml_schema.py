import pytest
import yaml

from mer.evaluation.protocols.yaml_schema import Unquoted, protocol_fields

TEXT = """
title: Two classes
source: a test
classes: [x, y]
labels: {db: {happy: x, sad: y, other: null}}
counts: {db: {x: 3, y: 2}}
people: {db: 4}
"""


def test_the_parts_of_a_protocol_are_converted():
    fields = protocol_fields(yaml.safe_load(TEXT))
    assert fields["title"] == "Two classes"
    assert fields["classes"] == ("x", "y")
    assert fields["labels"] == {"db": {"happy": "x", "sad": "y", "other": None}}
    assert fields["counts"] == {"db": {"x": 3, "y": 2}}
    assert fields["people"] == {"db": 4}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("x: 3", "x: three", "counts of db"),
        ("{db: 4}", "{db: many}", "people"),
        ("[x, y]", "x", "classes"),
        ("{happy: x,", "{happy: z,", "z"),
    ],
)
def test_a_wrong_value_is_named(old, new, message):
    with pytest.raises(ValueError, match=message):
        protocol_fields(yaml.safe_load(TEXT.replace(old, new)))


def test_a_name_that_yaml_reads_as_a_number_needs_quotes():
    with pytest.raises(Unquoted, match='write 6 in quotes, such as "6"'):
        protocol_fields(yaml.safe_load(TEXT.replace("{db: {happy", "{006: {happy")))
