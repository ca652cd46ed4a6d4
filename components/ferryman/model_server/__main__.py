"""`python -m ferryman.model_server`."""

from ferryman.model_server.main import main

main()
