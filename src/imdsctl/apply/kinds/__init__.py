"""How each kind of change is looked at, made and taken back, one kind a file.

A new file here is a new kind of change: it defines `HANDLER`, and the module's name with hyphens
is the kind's name.
"""
