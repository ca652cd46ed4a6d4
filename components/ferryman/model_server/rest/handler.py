"""The server's REST API: predict, status and metadata, in TensorFlow Serving's shapes, codes and texts."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import numpy as np

from ferryman.model_server import core
from ferryman.model_server.core import Refusal
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, Signature
from ferryman.model_server.servables import Servables
from ferryman.serving.protocol import SignatureDefMap

log = logging.getLogger("ferryman.model_server")

_PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/(?:versions/(\d+)|labels/([^/:]+)))?:(predict|classify|regress)", re.I)
_GET = re.compile(r"/v1/models(?:/([^/:]+))?(?:/(?:versions/(\d+)|labels/([^/:]+)))?(/metadata)?", re.I)

HTTP = {
    0: 200,
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    14: 503,
    16: 401,
}
"""gRPC status code -> HTTP status; anything else is 500 (`http_rest_api_util.cc`)."""

ACCEPTED: dict[str, set[type]] = {"f": {int, float}, "i": {int}, "u": {int}, "b": {bool}}
"""Kind of a numpy dtype -> what its values may be in JSON."""

JSON_TYPES = {str: "String", bool: "Bool", int: "Number", float: "Number", dict: "Object", type(None): "Null"}

LARGEST_BODY = 1 << 30
"""Bytes of one request; more is refused before it is read."""

TIMEOUT = 30.0
"""Seconds that a client may take to send its request."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "ferryman-model-server"
    sys_version = ""
    timeout = TIMEOUT
    servables: Servables

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *arguments: Any) -> None:
        """No line a request."""

    def _answer(self, method: str) -> None:
        try:
            body = self._body()
            path = self.path.partition("?")[0]
            if not path.lower().startswith("/v1/"):
                self._send(
                    404,
                    "text/html",
                    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>Not Found</BODY></HTML>\n",
                )
                return
            code, text = 200, self._dispatch(method, path, body)
        except Refusal as error:
            code, text = HTTP.get(error.code, 500), json.dumps({"error": error.text})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception as error:
            log.exception("a bug while answering")
            code, text = 500, json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"})
        self._send(code, "application/json", text.encode())

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True
            raise Refusal(core.INVALID_ARGUMENT, f"Content-Length must be from 0 to {LARGEST_BODY}")
        body = self.rfile.read(length)
        if self.headers.get("Content-Encoding", "").lower() == "gzip":
            try:
                return _decompressed(body)
            except (EOFError, zlib.error) as error:
                raise Refusal(core.INVALID_ARGUMENT, f"Failed to decompress request body: {error}") from error
        return body

    def _dispatch(self, method: str, path: str, body: bytes) -> str:
        match = _PREDICT.fullmatch(path) if method == "POST" else _GET.fullmatch(path) if method == "GET" else None
        # The real routes ignore case, its comparison of the method that follows does not.
        if not match or (method == "POST" and not match[4].islower()):
            raise Refusal(core.INVALID_ARGUMENT, f"Malformed request: {method} {self.path}")
        name = unquote(match[1] or "")
        number = int(match[2]) if match[2] else None
        label = unquote(match[3]) if match[3] else None
        if method == "POST":
            if match[4] != "predict":
                raise Refusal(12, f"{match[4]} is not served by this server yet; use predict")
            return predict(self.servables, name, number, label, body)
        if not name:
            raise Refusal(core.INVALID_ARGUMENT, "Missing model name in request.")
        if match[4]:
            return metadata(self.servables, name, number, label)
        return model_status(self.servables, name, number)

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _decompressed(body: bytes) -> bytes:
    """The bytes of a gzip stream (of one member or several), up to `LARGEST_BODY`."""
    parts, size = [], 0
    while body:
        # 31: a gzip header, and its check sum at the end. Source: zlib manual, inflateInit2.
        stream = zlib.decompressobj(31)
        parts.append(stream.decompress(body, LARGEST_BODY - size + 1))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            raise zlib.error(f"it unpacks to more than {LARGEST_BODY} bytes")
        if not stream.eof:
            raise EOFError("it ends before its end")
        body = stream.unused_data
    return b"".join(parts)


def predict(servables: Servables, name: str, number: int | None, label: str | None, body: bytes) -> str:
    """Answer a predict request in the format in which it came: rows (`instances`) or columns (`inputs`)."""
    document = _parsed(body)
    signature_name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(signature_name, str):
        raise Refusal(core.INVALID_ARGUMENT, "JSON Value: 'signature_name' key must be a string value.")
    with servables.use(name, number, label) as (_, model):
        signature: Signature = model.signature(signature_name)
        rows = "instances" in document
        inputs = _from_rows(document["instances"], signature) if rows else _from_columns(document, signature)
        outputs = model.run(signature_name, inputs)
    return _row_answer(outputs) if rows else _column_answer(outputs)


def model_status(servables: Servables, name: str, number: int | None) -> str:
    """The versions of a model as JSON, whatever label was asked for; int64 as text, as protobuf's JSON does."""
    versions = [
        {
            "version": str(version.number),
            "state": version.status,
            "status": {"error_code": core.NAMES[version.code], "error_message": version.message},
        }
        for version in reversed(core.status(servables.state, name, number))
    ]
    return json.dumps({"model_version_status": versions}, indent=1)


def metadata(servables: Servables, name: str, number: int | None, label: str | None) -> str:
    """Name, version and signatures of a model as JSON."""
    from google.protobuf import json_format

    with servables.use(name, number, label) as (version, model):
        definitions = SignatureDefMap.FromString(model.signature_defs).signature_def.items()
    signatures = {
        key: json_format.MessageToDict(
            definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for key, definition in definitions
    }
    return json.dumps(
        {
            "model_spec": {"name": name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        },
        indent=1,
    )


def _parsed(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise Refusal(core.INVALID_ARGUMENT, "JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise Refusal(core.INVALID_ARGUMENT, "JSON Parse error: nested too deeply") from error
    except ValueError as error:
        offset = getattr(error, "pos", 0)
        raise Refusal(core.INVALID_ARGUMENT, f"JSON Parse error: Invalid value. at offset: {offset}") from error
    if not isinstance(document, dict) or not ("instances" in document or "inputs" in document):
        raise Refusal(core.INVALID_ARGUMENT, "Missing 'inputs' or 'instances' key")
    if "instances" in document and "inputs" in document:
        raise Refusal(core.INVALID_ARGUMENT, "Not formatted correctly: expected one of 'inputs' and 'instances'")
    return document


def _from_rows(instances: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(instances, list):
        raise Refusal(core.INVALID_ARGUMENT, "Excepting 'instances' to be an list/array")
    if not instances:
        raise Refusal(core.INVALID_ARGUMENT, "No values in 'instances' array")
    named = isinstance(instances[0], dict) and set(instances[0]) != {"b64"}
    if not named:
        return {_only(signature): _tensor(_only(signature), instances, signature)}
    aliases = set(instances[0])
    for number, instance in enumerate(instances):
        if not isinstance(instance, dict) or set(instance) != aliases:
            raise Refusal(
                core.INVALID_ARGUMENT,
                f"Failed to process element: {number} of 'instances' list. Error: its keys differ",
            )
    return {alias: _tensor(alias, [instance[alias] for instance in instances], signature) for alias in sorted(aliases)}


def _from_columns(document: dict[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    values = document["inputs"]
    if isinstance(values, dict) and set(values) != {"b64"}:
        return {alias: _tensor(alias, value, signature) for alias, value in values.items()}
    return {_only(signature): _tensor(_only(signature), values, signature)}


def _only(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        raise Refusal(
            core.INVALID_ARGUMENT,
            f"Expecting named inputs, the signature has {len(signature.inputs)}: {', '.join(sorted(signature.inputs))}",
        )
    return next(iter(signature.inputs))


def _tensor(alias: str, values: Any, signature: Signature) -> np.ndarray:
    if alias not in signature.inputs:
        # The check against the signature answers with the real server's words.
        return np.asarray([0], dtype=np.float32)
    dtype = signature.inputs[alias].dtype
    if dtype == "string":
        return _text(alias, values)
    # As objects: numpy would take a truth value among numbers for a number, and a number among texts for a text.
    array = np.asarray(values, dtype=object)
    flat = array.ravel().tolist()
    wanted = np.dtype(dtype)
    odd = set(map(type, flat)) - ACCEPTED[wanted.kind]
    if list in odd:
        raise Refusal(core.INVALID_ARGUMENT, f"Encountered list of unequal shape in input {alias}")
    if odd:
        value = next(value for value in flat if type(value) in odd)
        raise Refusal(
            core.INVALID_ARGUMENT,
            f"JSON Value: {json.dumps(value)} Type: {JSON_TYPES[type(value)]} is not of expected type: "
            f"{'float' if dtype == 'float32' else dtype}",
        )
    if wanted.kind in "iu" and flat and not _fits(flat, wanted):
        raise Refusal(core.INVALID_ARGUMENT, f"a value of input {alias} does not fit {dtype}")
    try:
        with np.errstate(over="ignore"):
            return array.astype(wanted)
    except OverflowError as error:
        raise Refusal(core.INVALID_ARGUMENT, f"a value of input {alias} does not fit {dtype}") from error


def _fits(values: list[int], wanted: np.dtype[Any]) -> bool:
    limits = np.iinfo(wanted)
    return min(values) >= limits.min and max(values) <= limits.max


def _text(alias: str, values: Any) -> np.ndarray:
    if isinstance(values, str):
        return np.array(values.encode(), dtype=object)
    if isinstance(values, dict) and set(values) == {"b64"}:
        try:
            return np.array(base64.b64decode(values["b64"], validate=True), dtype=object)
        except (ValueError, TypeError) as error:
            raise Refusal(core.INVALID_ARGUMENT, f"Unable to base64 decode a value of input {alias}") from error
    if isinstance(values, list):
        parts = [_text(alias, value) for value in values]
        array = np.empty((len(parts), *(parts[0].shape if parts else ())), dtype=object)
        for number, part in enumerate(parts):
            if part.shape != parts[0].shape:
                raise Refusal(core.INVALID_ARGUMENT, f"Encountered list of unequal shape in input {alias}")
            array[number] = part if part.ndim else part.item()
        return array
    raise Refusal(core.INVALID_ARGUMENT, f"JSON Value: {json.dumps(values)} is not of expected type: string")


def _row_answer(outputs: dict[str, np.ndarray]) -> str:
    sizes = {len(array) if array.ndim else -1 for array in outputs.values()}
    if len(sizes) != 1 or -1 in sizes:
        raise Refusal(core.INVALID_ARGUMENT, "Tensor outputs do not all have the same batch size")
    if len(outputs) == 1:
        ((alias, array),) = outputs.items()
        return f'{{"predictions": {_json(alias, array)}}}'
    (size,) = sizes
    rows = (
        "{" + ", ".join(f"{json.dumps(alias)}: {_json(alias, array[row])}" for alias, array in outputs.items()) + "}"
        for row in range(size)
    )
    return f'{{"predictions": [{", ".join(rows)}]}}'


def _column_answer(outputs: dict[str, np.ndarray]) -> str:
    if len(outputs) == 1:
        ((alias, array),) = outputs.items()
        return f'{{"outputs": {_json(alias, array)}}}'
    return '{"outputs": {' + ", ".join(f"{json.dumps(alias)}: {_json(alias, a)}" for alias, a in outputs.items()) + "}}"


def _json(alias: str, array: Any) -> str:
    # Bytes would become an array of fixed width, which drops zero bytes at the end.
    array = np.asarray(array, dtype=object if isinstance(array, bytes) else None)
    if array.dtype.kind == "f":
        return _floats(array)
    if array.dtype.kind in "OSU":
        return json.dumps(_texts(array.tolist(), alias.endswith("_bytes")), ensure_ascii=False)
    return json.dumps(array.tolist())


def _floats(array: np.ndarray) -> str:
    """Shortest text that reads back as the same float32, always with a point; NaN and Infinity bare."""
    if array.ndim:
        return f"[{', '.join(map(_floats, array))}]"
    value = array[()]
    if math.isfinite(value):
        return str(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _texts(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_texts(entry, as_base64) for entry in value]
    raw = value if isinstance(value, bytes) else str(value).encode()
    return {"b64": base64.b64encode(raw).decode()} if as_base64 else raw.decode("utf-8", errors="replace")


def serve_rest(servables: Servables, host: str, port: int) -> ThreadingHTTPServer:
    """A bound HTTP server, still to be run by `serve_forever`; OSError when the port is taken."""

    class Bound(Handler):
        pass

    Bound.servables = servables

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    try:
        return Server((host, port), Bound)
    except OSError as error:
        raise OSError(f"Failed to bind to address {host}:{port}: {error.strerror}") from error
