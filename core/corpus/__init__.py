"""Text in: reading, cleaning, tokenising once, and batches by token budget."""
