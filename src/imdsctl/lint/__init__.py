"""Files come in; what in them calls IMDSv1, or launches it, goes out with its place and a fix.

Nothing is executed and nothing is sent anywhere. Three steps: `readers/` turn a file into facts (a
request, a launch, a dependency, a setting) and into the texts that it embeds (user data, a RUN
line), which are read the same way; `rules/` look at the facts of one text; `engine` puts the two
together, and `run` goes through many files.
"""
