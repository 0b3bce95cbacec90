from mer.face.canonical import N_LANDMARKS
from mer.face.regions import INNER_EYE_CORNERS, MOUTH_CORNERS, OUTER_EYE_CORNERS, REGIONS, STABLE


def test_regions_are_valid_landmarks_without_duplicates():
    for name, points in REGIONS.items():
        assert len(set(points)) == len(points), name
        assert all(0 <= point < N_LANDMARKS for point in points), name


def test_corners_belong_to_their_regions():
    for side, outer, inner, mouth in zip(("right", "left"), OUTER_EYE_CORNERS, INNER_EYE_CORNERS, MOUTH_CORNERS):
        assert {outer, inner} <= set(REGIONS[f"{side}_eye"])
        assert mouth in REGIONS["mouth"]


def test_stable_points_are_not_on_brows_mouth_or_cheeks():
    for name in ("mouth", "right_brow", "left_brow", "right_cheek", "left_cheek", "chin"):
        assert not set(STABLE) & set(REGIONS[name]), name
