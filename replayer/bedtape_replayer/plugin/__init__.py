"""What is behind the pytest plugin: what a test asks for, its session, its environment, and the run that they share.

`pytest_plugin` holds the hooks and imports nothing of this before a test uses it.
"""
