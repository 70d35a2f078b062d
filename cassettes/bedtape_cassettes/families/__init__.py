"""Model families: the JSON of each family's requests and answers, one file per family in models/.

`family.Family` describes a family. `table` finds the family of a model. `rendering` turns content
into responses, and `reading` turns requests and responses into content. The package has no disk
access and no clock. Callers pass a seeded `random.Random`.
"""
