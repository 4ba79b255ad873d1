"""Runs that are killed, starved, lied to and damaged: each must end in the right result or a clear message."""
