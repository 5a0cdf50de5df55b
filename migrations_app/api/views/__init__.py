"""The doors: each authenticates, parses, makes one stage call and renders."""
