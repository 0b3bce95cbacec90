from __future__ import annotations

import numpy as np

from mer.synth.portrait import SIZE, portrait_fault
from mer.synth.skin import draw_face, generate_portrait, skin_model, warp_map


def test_different_seeds_give_different_faces():
    faces = [generate_portrait(np.random.default_rng([1, k])) for k in range(4)]
    for i in range(4):
        for j in range(i):
            shape = np.linalg.norm(faces[i].landmarks[:, :2] - faces[j].landmarks[:, :2], axis=1).mean()
            skin = np.abs(faces[i].image[180:340, 180:330].astype(float) - faces[j].image[180:340, 180:330]).mean()
            assert shape > 1.5
            assert skin > 4
    again = generate_portrait(np.random.default_rng([1, 0]))
    np.testing.assert_array_equal(again.image, faces[0].image)


def test_generated_faces_can_all_be_used():
    for k in range(5):
        assert not portrait_fault(generate_portrait(np.random.default_rng([2, k])).landmarks)


def test_a_drawn_face_has_skin_on_the_reference_landmarks():
    landmarks, face, weight = draw_face(np.random.default_rng(0))
    assert landmarks.shape == (478, 3)
    assert face.shape == (SIZE, SIZE, 3)
    x, y = skin_model().reference[4, :2].round().astype(int)
    assert weight[y, x] == 1
    assert weight[0, 0] == 0
    assert face[y, x, 0] > face[y, x, 2]  # skin is redder than blue


def test_a_warp_maps_landmarks_onto_landmarks():
    source = skin_model().reference[:, :2].astype(float)
    target = source * 1.05 + [3.0, -5.0]
    position = warp_map(source, target, SIZE)
    for landmark in (4, 61, 291, 9):
        x, y = target[landmark].round().astype(int)
        np.testing.assert_allclose(position[y, x], source[landmark], atol=1.5)
