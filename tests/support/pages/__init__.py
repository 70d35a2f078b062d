"""The documentation as tests: every fenced block of a page is run or checked, in the order in
which a reader meets them.

A page's blocks share one scratch project. How a block is written is in CONTRIBUTING.md.
"""

from support.pages.page import Block, Page, PageInvalid, read
from support.pages.running import run

__all__ = ["Block", "Page", "PageInvalid", "read", "run"]
