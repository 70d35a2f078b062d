"""Model families: how each writes requests and answers, one file a family.

`family.Family` is what a family is; `table` finds the one of a model; `rendering` and `reading` (beside this package)
use them. Pure: no disk, no clock; chance comes in as a `random.Random`.
"""
