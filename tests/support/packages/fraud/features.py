"""The logarithm of an amount, whose missing cells are told apart."""

import numpy as np
import tensorflow as tf

import ferryman


class LogAmount(ferryman.Feature):
    class Options(ferryman.Options):
        base: float = 10.0

    def fit(self, raw):
        return {"shift": float(np.nanmean(self._log(raw)))}

    def device(self, fitted):
        return {"": ("float32", ()), "gone": ("float32", ())}

    def transform(self, raw, fitted):
        gone = tf.math.is_nan(raw)
        logs = tf.math.log1p(tf.where(gone, 0.0, raw)) / np.float32(np.log(self.options.base)) - fitted["shift"]
        return {"": tf.where(gone, 0.0, logs), "gone": tf.cast(gone, tf.float32)}

    def reference(self, raw, fitted):
        gone = np.isnan(raw)
        logs = self._log(np.where(gone, np.float32(0), raw)) - np.float32(fitted["shift"])
        return {"": np.where(gone, np.float32(0), logs), "gone": gone.astype(np.float32)}

    def _log(self, raw):
        return np.log1p(raw) / np.float32(np.log(self.options.base))
