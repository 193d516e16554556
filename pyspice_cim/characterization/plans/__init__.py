"""Plans: which benches run at which points, what that costs, and how a table comes of it."""
