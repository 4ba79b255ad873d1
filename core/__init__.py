"""Monoglot's engine: everything but the window. Never imports Qt."""
