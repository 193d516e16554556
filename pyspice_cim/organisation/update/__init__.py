"""Update organisations, one file a variant."""
