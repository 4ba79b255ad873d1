"""The vocabulary of one language: which tokens it needs, the tokenizer that is left, and the proof. No torch."""
