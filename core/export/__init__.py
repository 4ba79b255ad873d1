"""What leaves a run: the student's folder, its model card, the report."""
