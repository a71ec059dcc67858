"""The judging floor: what is a set worth, whoever made it."""
