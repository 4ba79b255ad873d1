"""Learning from a teacher: losses, the training loop and its checkpoints."""
