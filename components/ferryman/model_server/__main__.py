"""`python -m ferryman.model_server`."""

from ferryman.model_server.main import main
from ferryman.process import child_main

child_main(main)
