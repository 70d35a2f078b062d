"""Importers: each module reads one format of another tool, from bytes to exchanges and rules.

`import_formats` recognises a format by a file's content, and `to_interaction` makes interactions of exchanges. An
importer builds no objects that a file names, and fetches nothing that a file refers to.
"""
