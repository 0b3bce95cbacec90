"""Infrastructure without knowledge of faces: files, locks, processes, clusters, torch, progress."""
