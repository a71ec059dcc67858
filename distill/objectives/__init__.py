"""Objectives, by the name they have on the command line."""
