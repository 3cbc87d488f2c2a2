"""Prints what is installed as constraints: names and versions, for `make lock`."""

from importlib.metadata import distributions

OWN = {"opsconsole", "pip", "setuptools", "wheel"}

found = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in distributions()}
for name in sorted(set(found) - OWN):
    print(f"{name}=={found[name]}")
