"""What a page's project begins with are a reader's files: the pages run them."""

collect_ignore_glob = ["projects/*"]
