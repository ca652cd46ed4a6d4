"""The images that steps run in: which there are, how they are built, and the lock that names what was built."""
