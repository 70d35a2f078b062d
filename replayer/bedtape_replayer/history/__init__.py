"""The calls that a session received, and the assertions on them."""
