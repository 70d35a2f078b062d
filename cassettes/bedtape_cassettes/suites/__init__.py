"""Inspects and changes recordings: selects, shows, compares, lists, checks and edits them."""
