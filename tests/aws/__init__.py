"""Tests of the AWS adapter, against a scripted and the simulated AWS."""
