"""The metadata service's protocol: requests, settings and the time come in, answers go out.

It classifies what others sent, too. Nothing here does I/O, reads a clock or draws random bytes,
and nothing but the standard library is imported: the room runs on instances, on Python 3.9 and
newer.
"""
