"""Reads recordings of other tools, one module per format.

Each converts parsed documents to exchanges and rules.

`import_formats` lists the modules. They do not touch the disk, build objects that a
file names, or follow links.
"""
