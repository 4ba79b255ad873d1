"""How fast distillation is: one step beside the reference's, where its time goes, and the race to a loss."""
