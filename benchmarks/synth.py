"""Measure `mer synth`: plausibility, diversity and speed.

    python benchmarks/synth.py plausibility [--faces DIR] [--identities 40]
    python benchmarks/synth.py diversity [--identities 1000]
    python benchmarks/synth.py speed [--faces DIR] [--pairs 100] [--workers 2]

plausibility: how often MediaPipe detects the face in rendered frames of each preset, and how well the displacement of
its landmarks agrees with the flow labels. diversity: the most similar two of many generated identities. speed: pairs
per second at 256 x 256 with all labels, written to disk, and the share of each step.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from mer.synth import load_face_model
from mer.synth.animation import ffn_clip, micro_clip
from mer.synth.background import draw_background
from mer.synth.camera import DISTANCE, draw_image_quality, frame_camera, take_picture
from mer.synth.flow_dataset import Settings, make_dataset, plan
from mer.synth.head import SKIN, make_head
from mer.synth.people import draw_portrait, find_people
from mer.synth.scene import Scene, label_pair, landmarks_at, render
from mer.synth.skin import draw_face

SIZE = 256
PARTS = (
    "draw_portrait", "make_head", "draw_background", "ffn_clip", "micro_clip",
    "render", "label_pair", "take_picture", "write_sequence",
)  # fmt: skip


def plausibility(args: argparse.Namespace) -> None:
    from mer.face import detect_faces

    model = load_face_model(args.face_model, args.face_model_path)
    people = find_people(args.faces, Path(tempfile.mkdtemp()) / "faces.json") if args.faces else []
    for preset in ("ffn", "micro"):
        n_detected, n_frames, labeled, detected, errors = 0, 0, [], [], []
        settings = Settings(preset=preset, pairs=10**6, seed=7)
        jobs = [job for job, _ in zip(plan(settings, people), range(args.identities))]
        for k, job in enumerate(jobs):
            rng = np.random.default_rng([11, k])
            portrait = draw_portrait(job.person, job.use, rng)
            head = make_head(portrait, model)
            clip = ffn_clip(head, model.name, rng, 5) if preset == "ffn" else micro_clip(head, model.name, rng, 2)
            camera = frame_camera(SIZE * rng.uniform(0.28, 0.40), (SIZE / 2, 0.43 * SIZE))
            scene = Scene(
                head, model.name, draw_background(SIZE, camera, portrait, rng, from_portrait=False), camera, SIZE
            )
            quality = draw_image_quality(rng)
            states = [clip.states[0], clip.states[-1]]
            faces = [detect_faces(take_picture(render(scene, state), quality, rng)) for state in states]
            n_frames += 2
            n_detected += sum(bool(f) for f in faces)
            if all(faces):
                truth = [landmarks_at(scene, state)[:, :2] for state in states]
                error = np.linalg.norm(faces[0][0].landmarks[:468, :2] - truth[0][:468], axis=1).mean()
                errors.append(error / camera.focal * DISTANCE)
                labels = label_pair(scene, *states)
                x, y = np.clip(truth[0][:468].round().astype(int), 0, SIZE - 1).T
                on_skin = labels.part[y, x] == SKIN
                labeled.append(labels.flow.facial[y, x][on_skin])
                detected.append((faces[1][0].landmarks[:468, :2] - faces[0][0].landmarks[:468, :2])[on_skin])
        flow, displacement = np.concatenate(labeled), np.concatenate(detected)
        correlation = [np.corrcoef(flow[:, c], displacement[:, c])[0, 1] for c in (0, 1)]
        print(
            f"{preset}: face detected in {n_detected}/{n_frames} frames; landmark error {np.mean(errors):.3f} "
            f"interocular distances; displacement of MediaPipe's landmarks and flow labels: correlation "
            f"{correlation[0]:.3f} (x), {correlation[1]:.3f} (y), "
            f"mean length {np.linalg.norm(flow, axis=1).mean():.2f} px",
            flush=True,
        )


def diversity(args: argparse.Namespace) -> None:
    """Distances between identities: landmarks in px of 512, root mean square, and skin in gray levels, mean."""
    import cv2
    from scipy.spatial.distance import pdist

    shapes, skins = [], []
    for k in range(args.identities):
        landmarks, face, _ = draw_face(np.random.default_rng([0, 4, k]))  # what mer synth draws with seed 0
        shapes.append(landmarks[:468, :2].ravel())
        skins.append(cv2.resize(face[150:350, 150:360], (21, 20), interpolation=cv2.INTER_AREA).ravel())
    shape = pdist(np.array(shapes)) / np.sqrt(468)
    skin = pdist(np.array(skins, float), "cityblock") / skins[0].size
    for name, d, unit in (("shape", shape, "px of 512, root mean square"), ("skin", skin, "gray levels, mean")):
        print(
            f"{name}: the most similar two of {args.identities} differ by {d.min():.2f}, the median pair by "
            f"{np.median(d):.2f} ({unit})"
        )


def speed(args: argparse.Namespace) -> None:
    for preset in ("ffn", "micro"):
        settings = Settings(preset=preset, pairs=args.pairs, faces=args.faces, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            # Compiles numba code and loads the models.
            make_dataset(Path(folder) / "warm", Settings(preset=preset, pairs=2, faces=args.faces))
            profile, wall, cpu = cProfile.Profile(), time.perf_counter(), time.process_time()
            profile.enable()
            make_dataset(Path(folder) / "one", settings)
            profile.disable()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            rates = f"{args.pairs / wall:.1f} pairs/s ({args.pairs / cpu:.1f} per second of CPU)"
            print(f"{preset}, 1 process: {rates}", flush=True)
            rows = pstats.Stats(profile).stats
            spent = {f[2]: s[3] for f, s in rows.items() if f[2] in PARTS and "synth" in f[0]}
            shares = ", ".join(f"{name} {100 * spent[name] / wall:.0f} %" for name in PARTS if name in spent)
            print(f"   share of the time: {shares}")
            if args.workers > 1:
                wall = time.perf_counter()
                make_dataset(Path(folder) / "more", settings, workers=args.workers)
                wall = time.perf_counter() - wall
                print(
                    f"{preset}, {args.workers} processes: {args.pairs / wall:.1f} pairs/s, start included", flush=True
                )
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plausibility", "diversity", "speed"])
    parser.add_argument("--faces")
    parser.add_argument("--face-model", default="makehuman")
    parser.add_argument("--face-model-path")
    parser.add_argument("--identities", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    {"plausibility": plausibility, "diversity": diversity, "speed": speed}[args.what](args)


if __name__ == "__main__":
    main()
