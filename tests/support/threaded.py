"""A module whose import leaves a thread behind."""

import threading

threading.Thread(target=threading.Event().wait, name="left-behind", daemon=True).start()
