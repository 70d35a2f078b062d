"""The commands replay, run, demo, overlay, doctor and init. Nothing imports this room."""
