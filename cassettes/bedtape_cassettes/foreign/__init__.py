"""Imports recordings from other tools and exports to them."""
