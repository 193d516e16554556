"""Memories under variation: sampled thresholds, margins, Monte Carlo, tails."""
