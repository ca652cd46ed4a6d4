"""Sends requests as fast as answers come, from a process of its own: a JSON line in, a JSON line out.

In: {"kind": "grpc" or "rest", "port", "name", "body" (a file), "clients", "seconds" or "requests"}. Out: {"rate" (a
second), "p50" and "p99" (milliseconds), "failed"}. Each client has a connection, and sends the next request when it has
the answer to the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

HOST = "127.0.0.1"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
WARM_UP = 0.2
"""Seconds before the measurement."""

Call = Callable[[], Awaitable[bool]]


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    body = Path(task["body"]).read_bytes()
    async with AsyncExitStack() as stack:
        connect = {"grpc": grpc_call, "rest": rest_call}[task["kind"]]
        calls = [await connect(stack, task["port"], task["name"], body) for _ in range(task["clients"])]
        if "requests" in task:
            return await send(calls, float("inf"), -(-task["requests"] // len(calls)))
        await send(calls, WARM_UP)
        return await send(calls, task["seconds"])


async def send(calls: list[Call], seconds: float, each: int = sys.maxsize) -> dict[str, Any]:
    """Every call again and again until the time is up or each was made often enough."""
    times: list[float] = []
    failed = 0
    began = time.perf_counter()

    async def repeat(call: Call) -> None:
        nonlocal failed
        made, at = 0, time.perf_counter()
        while at < began + seconds and made < each:
            failed += not await call()
            after = time.perf_counter()
            times.append(after - at)
            made, at = made + 1, after

    await asyncio.gather(*(repeat(call) for call in calls))
    spent = time.perf_counter() - began
    times.sort()
    return {
        "rate": len(times) / spent,
        "p50": times[len(times) // 2] * 1e3,
        "p99": times[int(len(times) * 0.99)] * 1e3,
        "failed": failed,
    }


async def grpc_call(stack: AsyncExitStack, port: int, _: str, body: bytes) -> Call:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"{HOST}:{port}", options=options))
    await channel.channel_ready()
    method = channel.unary_unary(PREDICT)

    async def call() -> bool:
        try:
            return bool(await method(body))
        except grpc.RpcError:
            return False

    return call


async def rest_call(stack: AsyncExitStack, port: int, name: str, body: bytes) -> Call:
    reader, writer = await asyncio.open_connection(HOST, port)
    stack.callback(writer.close)
    head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body

    async def call() -> bool:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        size = answer.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        await reader.readexactly(int(size))
        return answer.startswith(b"HTTP/1.1 200")

    return call


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(asyncio.run(measure(json.loads(line)))), flush=True)
