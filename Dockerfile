# terrashot with its optional parts; `docker run terrashot` lists the experiments.
#
#   CPU:  docker build -t terrashot .
#   CUDA: docker build -t terrashot:cuda --build-arg TORCH=cu128 \
#             --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 .
#   Run:  docker run --rm --gpus all --shm-size 2g -v "$PWD/data:/terrashot/data" \
#             -v "$PWD/logs:/terrashot/logs" terrashot:cuda experiment=stage1
#
# torch's CUDA builds bring the libraries that they need, so the base holds no more than the
# driver's interface. --shm-size: data loaders hand over batches in shared memory.
ARG BASE=ubuntu:24.04
FROM ${BASE}
# What uv calls a torch backend: cpu, cu126, cu128, ...
ARG TORCH=cpu

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/venv/bin:$PATH
WORKDIR /terrashot
COPY pyproject.toml constraints.txt README.md LICENSE ./
# The dependencies are a layer of their own: a change of the code does not install them again.
# The constraints were resolved for the CPU; what CUDA adds is resolved by uv.
RUN python3 -m venv /opt/venv \
    && pip install --no-cache-dir uv \
    && uv pip install --no-cache --compile-bytecode --torch-backend ${TORCH} \
        --constraint constraints.txt --requirement pyproject.toml \
        --extra sweeps --extra export
COPY run.py ./
COPY configs configs
COPY src src
COPY scripts scripts
RUN uv pip install --no-cache --compile-bytecode --no-deps --editable . \
    && useradd --create-home terrashot \
    && mkdir data logs \
    && chown terrashot data logs
USER terrashot
ENV WANDB_MODE=offline
VOLUME ["/terrashot/data", "/terrashot/logs"]
ENTRYPOINT ["python", "run.py"]
