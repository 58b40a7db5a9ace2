"""fastembed behind starlette and uvicorn, as its users serve it: one process, ONNX Runtime with its
own choice of threads, requests handed to a thread pool.

    HEARTH_BENCH_MODEL=FOLDER uvicorn --uds SOCKET fastembed_server:app

POST {"texts": [...]} is answered with the vectors as float32, one after the other: no JSON of
floats, which would cost the server more than it needs. HEARTH_BENCH_THREADS is handed on as `threads`.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy  # noqa: E402
from fastembed import TextEmbedding  # noqa: E402
from fastembed.common.model_description import ModelSource, PoolingType  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.concurrency import run_in_threadpool  # noqa: E402
from starlette.responses import Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

NAME = "bench/all-minilm-l6-v2"

TextEmbedding.add_custom_model(model=NAME, pooling=PoolingType.MEAN, normalization=True,
                               sources=ModelSource(hf=NAME), dim=384, model_file="onnx/model.onnx")
threads = os.environ.get("HEARTH_BENCH_THREADS")
model = TextEmbedding(NAME, specific_model_path=os.environ["HEARTH_BENCH_MODEL"],
                      threads=int(threads) if threads else None)


def vectors_of(texts):
    return numpy.stack(list(model.embed(texts))).astype(numpy.float32).tobytes()


async def embed(request):
    texts = (await request.json())["texts"]
    return Response(await run_in_threadpool(vectors_of, texts), media_type="application/octet-stream")


app = Starlette(routes=[Route("/embed", embed, methods=["POST"])])
