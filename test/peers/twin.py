"""The peer's side of the end-to-end twin: PyTorch + vector-quantize-pytorch from Gyre's start weights on Gyre's batches.

Usage: python twin.py FOLDER
FOLDER holds batches.safetensors (pixels uint8 [steps, N, S, S, 3]) and, for each twin, NAME.safetensors (tensors by the
names of docs/export.md; estimator, distance and learningRate in its metadata). Prints {NAME: {loss: [...], mse: [...]}}: every step's loss before its update.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from vector_quantize_pytorch import VectorQuantize

torch.set_num_threads(1)
folder = Path(sys.argv[1])
numbers = {"F32": np.float32, "U8": np.uint8, "I32": np.int32}


def read(path):
    """A safetensors file, by its specification: a header's length, a JSON header, the tensors."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, info in header.items():
        start, end = (8 + length + offset for offset in info["data_offsets"])
        values = np.frombuffer(raw[start:end], numbers[info["dtype"]]).reshape(info["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 4, 3, padding=1)
        self.conv2 = nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Network(nn.Module):
    """README's network; its parts bear Gyre's names."""

    def __init__(self, width=128, dim=32):
        super().__init__()
        self.encoder = nn.ModuleDict({
            "conv1": nn.Conv2d(3, width // 2, 4, 2, 1), "conv2": nn.Conv2d(width // 2, width, 4, 2, 1),
            "conv3": nn.Conv2d(width, width, 3, padding=1),
            "residual": nn.ModuleList([Residual(width), Residual(width)]), "conv_out": nn.Conv2d(width, dim, 1),
        })
        self.decoder = nn.ModuleDict({
            "conv_in": nn.Conv2d(dim, width, 3, padding=1),
            "residual": nn.ModuleList([Residual(width), Residual(width)]),
            "up1": nn.ConvTranspose2d(width, width // 2, 4, 2, 1), "up2": nn.ConvTranspose2d(width // 2, 3, 4, 2, 1),
        })

    def encode(self, x):
        e = self.encoder
        x = e["conv3"](F.relu(e["conv2"](F.relu(e["conv1"](x)))))
        for block in e["residual"]:
            x = block(x)
        return e["conv_out"](F.relu(x))

    def decode(self, z):
        d = self.decoder
        x = d["conv_in"](z)
        for block in d["residual"]:
            x = block(x)
        return d["up2"](F.relu(d["up1"](F.relu(x))))


def train(name, batches):
    tensors, settings = read(folder / f"{name}.safetensors")
    network = Network()
    weights = {k: t.permute(3, 2, 0, 1).contiguous() if t.ndim == 4 else t for k, t in tensors.items()}
    network.load_state_dict({k: weights[k] for k in network.state_dict()})
    codebook = tensors["codebook"]
    quantizer = VectorQuantize(
        dim=codebook.shape[1], codebook_size=len(codebook), decay=0.8, commitment_weight=1.0, kmeans_init=False,
        rotation_trick=settings["estimator"] == "rotation", use_cosine_sim=settings["distance"] == "cosine",
        threshold_ema_dead_code=0,
    )
    quantizer._codebook.embed.data.copy_(codebook.unsqueeze(0))
    quantizer._codebook.embed_avg.data.copy_(codebook.unsqueeze(0))
    rate = float(settings["learningRate"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.01)
    losses = {"loss": [], "mse": []}
    for pixels in batches:
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        z = network.encode(x)
        q, _, commitment = quantizer(z.permute(0, 2, 3, 1).flatten(1, 2))
        y = network.decode(q.unflatten(1, z.shape[2:]).permute(0, 3, 1, 2))
        mse = F.mse_loss(y, x)
        loss = mse + commitment.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses["loss"].append(float(f"{loss.item():.9g}"))
        losses["mse"].append(float(f"{mse.item():.9g}"))
    return losses


names = sorted(path.stem for path in folder.glob("*.safetensors") if path.stem != "batches")
pixels, _ = read(folder / "batches.safetensors")
print(json.dumps({name: train(name, pixels["pixels"]) for name in names}))
