"""The version of the program: the package's own metadata is made from it."""

VERSION = "0.1.0"
