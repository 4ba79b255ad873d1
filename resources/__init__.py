"""Data that travels with the application: presets, lists of languages and teachers, icons, the built-in sample."""
