"""Networks, by the name they have on the command line."""
