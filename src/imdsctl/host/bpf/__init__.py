"""Our kernel programs and what loads them: a compiled object comes in, attached programs go out.

Standard library alone, on Python 3.9 and newer: no libbpf, no BCC, no kernel headers and no
compiler on the host. `make bpf` rebuilds the objects from the sources beside them.
"""
