"""The study of decay rules: tasks, runs, statistics and report."""
