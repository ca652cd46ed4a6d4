"""What every test may rely on, however the tests were started."""

import signal

from hypothesis import settings

# A shell starts its background jobs deaf to Ctrl-C, and their children inherit that; a handler is not inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does; nothing is right or wrong for it.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
