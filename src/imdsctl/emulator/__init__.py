"""The metadata service on sockets: values and options come in, an IMDS that clients can call.

Requests are answered by `imdsctl.imds`; this room adds connections, the hop limit on the wire,
faults, counters and a control endpoint. It imports nothing heavy, so that tests can start it.
"""
