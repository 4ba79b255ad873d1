"""Runs killed, starved and damaged as laptops do it: each must end in the same bytes or clear words."""
