"""The file for `mitmdump -s`.

It is alone in its folder because mitmproxy adds a script's folder to sys.path permanently.
"""

from bedtape_recorder.addon import Script

addons = [Script()]
