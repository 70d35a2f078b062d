"""What faults do, one file a kind. A layer here knows answers, replies and steps; neither other layers, nor matching,
nor the server. See `harm` for the seams."""
