"""Many simulations: workers, cache, packs of decks, kept runs."""
