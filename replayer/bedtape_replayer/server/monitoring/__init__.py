"""What machines read of a running server: metrics and traces."""
