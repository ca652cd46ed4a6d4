import numpy as np
import pytest

from ferryman.steps.train.content import content_hash

KERNEL, BIAS = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32)
WEIGHTS = [("dense/kernel", KERNEL), ("dense/bias", BIAS)]
KNOWS = {"features": {"mass": {"mean": 1.0}}, "classes": ["a", "b"]}
KNOWN = content_hash(WEIGHTS, KNOWS)


def test_equal_knowledge_has_equal_content_whatever_the_order_it_is_listed_in() -> None:
    turned = {"classes": ["a", "b"], "features": {"mass": {"mean": 1.0}}}
    assert content_hash(reversed(WEIGHTS), turned) == KNOWN
    assert content_hash([("dense/kernel", np.asfortranarray(KERNEL)), ("dense/bias", BIAS)], KNOWS) == KNOWN
    assert content_hash([("dense/kernel", KERNEL.astype(">f4")), ("dense/bias", BIAS)], KNOWS) == KNOWN


@pytest.mark.parametrize(
    ("weights", "knows"),
    [
        ([("dense/kernel", KERNEL.T), ("dense/bias", BIAS)], KNOWS),
        ([("dense/kernel", KERNEL.reshape(3, 2)), ("dense/bias", BIAS)], KNOWS),
        ([("dense/kernel", KERNEL.view(np.int32)), ("dense/bias", BIAS)], KNOWS),
        ([("dense/kernel", KERNEL + np.float32(1e-6)), ("dense/bias", BIAS)], KNOWS),
        ([("hidden/kernel", KERNEL), ("dense/bias", BIAS)], KNOWS),
        (WEIGHTS[:1], KNOWS),
        (WEIGHTS, {**KNOWS, "classes": ["b", "a"]}),
        (WEIGHTS, {**KNOWS, "features": {"mass": {"mean": 1.0000001}}}),
    ],
)
def test_any_other_knowledge_has_other_content(weights: list[tuple[str, np.ndarray]], knows: dict[str, object]) -> None:
    assert content_hash(weights, knows) != KNOWN
