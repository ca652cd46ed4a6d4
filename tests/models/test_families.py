import pytest
from pydantic import ValidationError

from ferryman.features import features_from
from ferryman.models import CnnOptions, MlpOptions, model_from

NUMBER = {"kind": "number"}


def picture(side: int) -> dict[str, object]:
    return {"kind": "image", "columns": {"first": 0, "last": side * side - 1}, "shape": [side, side, 1]}


def test_the_kind_decides_the_family() -> None:
    assert model_from({"kind": "cnn", "filters": [8]}) == CnnOptions(kind="cnn", filters=(8,))
    assert model_from({"kind": "mlp"}) == MlpOptions(kind="mlp", hidden=(64,))
    with pytest.raises(ValidationError, match="hiden"):
        model_from({"kind": "mlp", "hiden": [3]})


@pytest.mark.parametrize("features", [{"mass": NUMBER}, {"front": picture(8), "back": picture(8)}])
def test_a_cnn_reads_exactly_one_image(features: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        CnnOptions(kind="cnn").check(features_from(features))


def test_a_cnn_has_no_more_blocks_than_the_image_can_be_halved() -> None:
    CnnOptions(kind="cnn", filters=(4, 4, 4)).check(features_from({"image": picture(8)}))
    with pytest.raises(ValueError, match="at most 3"):
        CnnOptions(kind="cnn", filters=(4, 4, 4, 4)).check(features_from({"image": picture(8)}))
