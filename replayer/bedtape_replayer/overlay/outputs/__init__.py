"""Answers of any operation in the words of botocore's service models: `output` and `events`.

`shapes` reads the models, `values` checks and encodes values, and `building` makes an `Output` of
them when a rule is loaded. botocore is imported with the first such rule.
"""
