"""Run a provider as a plugin process, and show its errors to people unchanged."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
from pulumi.provider.experimental.provider import Provider
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

_MAX_MESSAGE = 400 * 2**20  # as the engine's


class ProviderError(Exception):
    """An operation failed. The message is for the person who runs Pulumi."""


class _PlainErrors(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Ends a failed call with the error's own text, instead of grpc's "Unexpected <class …>"."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def guarded(request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: ANN401 - any call's message
            try:
                return await handler.unary_unary(request, context)
            except (ProviderError, ValueError) as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


async def _orphaned() -> None:
    """Return when the engine that started this process is gone. A killed engine cannot tell its plugins to end."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(1)


def serve(version: str, provider: Provider) -> None:
    """Serve until the engine ends the process. Print the port to standard output, as the engine expects."""
    engine_address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")

    async def run() -> None:
        limits = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
        server = grpc.aio.server(interceptors=[_PlainErrors()], options=limits)
        servicer = ProviderServicer(sys.argv[1:], version, provider, engine_address=engine_address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        ends = (asyncio.create_task(server.wait_for_termination()), asyncio.create_task(_orphaned()))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    with suppress(KeyboardInterrupt):  # the engine ends a plugin by this signal
        asyncio.run(run())
