"""Recording real Bedrock traffic into cassettes. This release replays; the recorder is not in it yet."""
