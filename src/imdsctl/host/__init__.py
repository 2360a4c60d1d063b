"""What runs on the instance itself: its IMDS and its processes come in, findings go out as JSON.

Nothing but the standard library and `imdsctl.imds` is imported: the room goes onto instances, on
Python 3.9 and newer.
"""
