"""What the REST API can be asked: from a body to a body.

Source: model_servers/http_rest_api_handler.cc (Process...Request).
"""

from __future__ import annotations

import time

from ferryman.model_server import inference
from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.metrics import count_run
from ferryman.model_server.rest import examples
from ferryman.model_server.rest.answers import answer
from ferryman.model_server.rest.document import Document
from ferryman.model_server.rest.proto_json import printed
from ferryman.model_server.rest.routes import Route
from ferryman.model_server.rest.tensors import inputs, signature_name
from ferryman.model_server.servables import Servables
from ferryman.model_server.version_status import version_status
from ferryman.serving.protocol import ModelSpec, SignatureDefMap


def predict(servables: Servables, route: Route, body: bytes) -> bytes:
    """Answer in the format in which the request came: rows (`instances`) or columns (`inputs`)."""
    document = Document(body)
    name = signature_name(document)
    with servables.use(route.model, route.number, route.label) as (_, model):
        arrays, rows = inputs(document, model.signature(name), name)
        begun = time.perf_counter()
        outputs = model.run(name, arrays)
        count_run(route.shown, "Predict", time.perf_counter() - begun)
    return answer(outputs, rows=rows)


def classify(servables: Servables, route: Route, body: bytes) -> bytes:
    """Labels and scores of examples."""
    document = Document(body)
    name, found = signature_name(document), examples.examples(document)
    with servables.use(route.model, route.number, route.label) as (_, model):
        result = inference.classify(model, name, found, model=route.shown)
    return examples.classes(result)


def regress(servables: Servables, route: Route, body: bytes) -> bytes:
    """Numbers of examples."""
    document = Document(body)
    name, found = signature_name(document), examples.examples(document)
    with servables.use(route.model, route.number, route.label) as (_, model):
        result = inference.regress(model, name, found, model=route.shown)
    return examples.values(result)


def status(servables: Servables, route: Route, _: bytes = b"") -> bytes:
    """The versions of a model, whatever label was asked for."""
    _check_named(route)
    found = version_status(servables.state, route.model, route.number)
    return f"{printed(found)}\n".encode()


def metadata(servables: Servables, route: Route, _: bytes = b"") -> bytes:
    """Name, version and signatures of a model."""
    _check_named(route)
    with servables.use(route.model, route.number, route.label) as (version, model):
        signatures = SignatureDefMap.FromString(model.signature_defs)
    spec = ModelSpec(name=route.model)
    spec.version.value = version
    # The real server joins two messages, each with its line's end.
    return (
        f'{{\n"model_spec":{printed(spec)}\n,\n"metadata": {{"signature_def": {printed(signatures)}\n}}\n}}\n'.encode()
    )


def _check_named(route: Route) -> None:
    if not route.model:
        raise Refusal(INVALID_ARGUMENT, "Missing model name in request.")


POST = {"predict": predict, "classify": classify, "regress": regress}
"""By the word after the colon."""
