"""Downstream tasks: topic, sentiment, named entities, parts of speech; loading, training, scores."""
