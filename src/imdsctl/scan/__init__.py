"""Reading AWS into the store, and reading the store back for judgement.

Ports come in, evidence goes out; what could not be read becomes evidence as well.
"""
