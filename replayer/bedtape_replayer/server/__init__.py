"""Sockets, threads and the clock. No other room has them."""
