"""One training run on disk: its directory, lock, checkpoints, metrics and results."""
