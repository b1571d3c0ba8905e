"""What stage 2 adds to the classification logits: one transition a file."""
