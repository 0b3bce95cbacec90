import pytest

from mer.datasets.action_units import FACS_NAMES, ActionUnit, parse_aus, unknown_codes


def as_text(units: list[ActionUnit]) -> list[str]:
    return [f"{unit.side}{unit.number}{unit.intensity}{'' if unit.sure else '?'}" for unit in units]


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        ("", []),
        ("4", ["4"]),
        ("4+7+6", ["4", "7", "6"]),
        ("1+L2", ["1", "L2"]),
        ("L14+L15", ["L14", "L15"]),
        ("4+L9+14", ["4", "L9", "14"]),
        ("15A+17 ", ["15A", "17"]),
        ("(R6 or R12)+R15", ["R6?", "R12?", "R15"]),
        ("L12 or L14", ["L12?", "L14?"]),
        ("10A/B", ["10A/B"]),
        ("4D+ref(6)+7C+43E", ["4D", "6?", "7C", "43E"]),
        ("ref(24)", ["24?"]),
        ("A1B+A2C", ["A1B", "A2C"]),
        ("T23+B18", ["T23", "B18"]),
        ("A/L12", ["A/L12"]),
        ("AU12+AU4", ["12", "4"]),
        ("4(k)+AU7(k)", ["4?", "7?"]),
        ("4?", ["4?"]),
        ("1,2，L4", ["1", "2", "L4"]),
    ],
)
def test_every_notation_of_an_action_unit_is_read(cell, units):
    assert as_text(parse_aus(cell)[0]) == units
    assert parse_aus(cell)[1] == []


@pytest.mark.parametrize(
    ("cell", "units", "rest"),
    [
        ("14+R17+soft focus", ["14", "R17"], ["soft focus"]),
        ("?", [], ["?"]),
        ("4+AD38+M58", ["4"], ["AD38", "M58"]),
    ],
)
def test_other_parts_of_a_cell_are_returned(cell, units, rest):
    parsed, other = parse_aus(cell)
    assert as_text(parsed) == units
    assert other == rest


@pytest.mark.parametrize(
    ("cell", "unknown"),
    [
        ("4+AD38+AD39", []),
        ("M58+m59", []),
        ("LAD38B, ad 19", []),
        ("14+R17+soft focus", []),
        ("Soft Focus", []),
        ("4+smile", ["smile"]),
        ("AD+M", ["AD", "M"]),
        ("MAD38", ["MAD38"]),
        ("?", ["?"]),
    ],
)
def test_descriptors_movement_codes_and_remarks_are_known(cell, unknown):
    assert unknown_codes(cell) == unknown


def test_facs_names():
    assert FACS_NAMES["12"] == "lip corner puller"
    assert all(number.isdigit() and name for number, name in FACS_NAMES.items())
    assert list(FACS_NAMES) == sorted(FACS_NAMES, key=int)
