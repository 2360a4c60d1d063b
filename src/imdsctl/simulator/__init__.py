"""The simulated AWS: moto over HTTP on loopback, extended where moto differs from AWS.

In come fleet files and plain AWS API calls; out go AWS responses, CloudWatch data computed
from the programs that live on each instance, and a control endpoint that knows the truth.
Nothing here is imported by the tool's own scan, plan and apply: they only see the wire.
"""
