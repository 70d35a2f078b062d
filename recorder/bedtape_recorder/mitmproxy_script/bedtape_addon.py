"""The file for `mitmdump -s`. Alone in its folder, for mitmproxy puts a script's folder on sys.path for good."""

from bedtape_recorder.addon import Script

addons = [Script()]
