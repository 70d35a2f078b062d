"""Decides what makes two requests the same."""
