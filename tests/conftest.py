"""What every test may rely on, however the tests were started."""

import signal

# A shell starts its background jobs deaf to Ctrl-C, and their children inherit that; a handler is not inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
