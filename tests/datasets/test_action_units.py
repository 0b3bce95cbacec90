import pytest

from mer.datasets.action_units import ActionUnit, parse_aus


def text(units: list[ActionUnit]) -> list[str]:
    return [f"{u.side}{u.number}{u.intensity}{'' if u.sure else '?'}" for u in units]


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
def test_every_form_of_a_unit_is_read(cell, units):
    assert text(parse_aus(cell)[0]) == units
    assert parse_aus(cell)[1] == []


@pytest.mark.parametrize(
    ("cell", "units", "rest"), [("14+R17+soft focus", ["14", "R17"], ["soft focus"]), ("?", [], ["?"])]
)
def test_what_is_no_unit_is_handed_back(cell, units, rest):
    found, other = parse_aus(cell)
    assert text(found) == units
    assert other == rest
