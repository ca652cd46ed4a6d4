"""What mistakes cost: a fraud that is missed costs ten times a false alarm."""

import numpy as np

import ferryman


class Cost(ferryman.Metric):
    name, task, better = "cost", "class", "lower"

    def compute(self, target, answer):
        said = answer.argmax(axis=1)
        missed, alarms = (target == 1) & (said == 0), (target == 0) & (said == 1)
        return float(np.mean(10.0 * missed + 1.0 * alarms))
