"""One format or language a file: what in a text is about the metadata service, as facts.

A module here defines `KINDS`, the kinds of text that it reads, and
`read(source: Source) -> Iterator[Fact | Source]`; a Source that it gives is an embedded text, and
is read in its turn. A parser is used wherever there is one.
"""
