"""Takes AWS EC2 fleets from IMDSv1 to IMDSv2 only, with evidence at every step, and back."""

__version__ = "0.1.0"
