"""`python -m ferryman.model_server`."""

from ferryman.model_server.ending import at_once

# Before anything else is imported, which takes a while in which somebody may press Ctrl-C.
at_once()

from ferryman.model_server.main import main  # noqa: E402
from ferryman.process import child_main  # noqa: E402

child_main(main)
