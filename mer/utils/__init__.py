"""Infrastructure that knows nothing of faces: files, locks, processes, clusters, torch, progress."""
