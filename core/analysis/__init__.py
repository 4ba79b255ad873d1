"""What can be known about a model: its size, its speed, how good it is."""
