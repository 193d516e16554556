"""Memories under threshold variation: sampled circuits, margins, Monte Carlo statistics and failure probabilities."""
