"""A module that looks at its environment once, when it is imported."""

import os

SEEN = (os.environ.get("FERRYMAN_OWN"), os.environ.get("FERRYMAN_LENT"))
