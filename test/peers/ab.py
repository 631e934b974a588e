"""The A/B of README in PyTorch + vector-quantize-pytorch: the same data, network and settings.

Usage: python ab.py IMAGES ESTIMATOR SEED STEPS [NAMES]
ESTIMATOR is ste or rotation; NAMES is a text file with the validation images' names, one a line, so that both sides
measure on the same images (without it: 256 drawn at random). Prints one JSON object a measured step.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from vector_quantize_pytorch import VectorQuantize

folder, estimator, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(seed)
torch.set_num_threads(2)


def load(path):
    image = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


files = sorted(Path(folder).glob("*.png"))
images = torch.from_numpy(np.stack([load(path) for path in files])).permute(0, 3, 1, 2)
if len(sys.argv) > 5:
    names = set(Path(sys.argv[5]).read_text().split())
    held_out = np.array([path.name in names for path in files])
else:
    held_out = np.random.RandomState(0).permutation(len(images)) < 256
validation, training = images[held_out], images[~held_out]


def scaled(batch):
    return batch.float() / 127.5 - 1


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width // 4, 3, padding=1), nn.ReLU(), nn.Conv2d(width // 4, width, 1)
        )

    def forward(self, x):
        return x + self.body(x)


width, dim = 128, 32
encoder = nn.Sequential(
    nn.Conv2d(3, width // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU(),
    nn.Conv2d(width, width, 3, padding=1), Residual(width), Residual(width), nn.ReLU(), nn.Conv2d(width, dim, 1),
)
decoder = nn.Sequential(
    nn.Conv2d(dim, width, 3, padding=1), Residual(width), Residual(width), nn.ReLU(),
    nn.ConvTranspose2d(width, width // 2, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width // 2, 3, 4, 2, 1),
)
quantizer = VectorQuantize(
    dim=dim, codebook_size=1024, decay=0.8, commitment_weight=1.0, kmeans_init=False,
    rotation_trick=estimator == "rotation", threshold_ema_dead_code=0,
)
parameters = [*encoder.parameters(), *decoder.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=3e-4, betas=(0.9, 0.99), weight_decay=0.01)


def evaluate(step):
    quantizer.eval()
    with torch.no_grad():
        x = scaled(validation)
        z = encoder(x).permute(0, 2, 3, 1).flatten(1, 2)  # [N, HW, D]
        q, indices, _ = quantizer(z)
        y = decoder(q.unflatten(1, (16, 16)).permute(0, 3, 1, 2))
        counts = torch.bincount(indices.flatten(), minlength=1024).double()
        p = counts[counts > 0] / counts.sum()
        mse = F.mse_loss(y, x).item()
    quantizer.train()
    row = {
        "step": step, "mse": mse, "psnr": 10 * math.log10(4 / mse),
        "usage": (counts > 0).double().mean().item(), "perplexity": torch.exp(-(p * p.log()).sum()).item(),
        "quantizationError": ((z - q) ** 2).sum(-1).mean().item(),
    }
    print(json.dumps(row), flush=True)


generator = torch.Generator().manual_seed(seed)
for step in range(1, steps + 1):
    x = scaled(training[torch.randint(len(training), (32,), generator=generator)])
    z = encoder(x).permute(0, 2, 3, 1).flatten(1, 2)
    q, _, commitment = quantizer(z)
    y = decoder(q.unflatten(1, (16, 16)).permute(0, 3, 1, 2))
    loss = F.mse_loss(y, x) + commitment.sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    if step % 250 == 0 or step == steps:
        evaluate(step)
