"""One training step of Gyre in PyTorch + vector-quantize-pytorch, to be timed beside Gyre's own.

Usage: python step.py CONFIG.json VARIANT
CONFIG is a run configuration of Gyre (every field). VARIANT is `eager`, or some of `channels-last`, `compile` and `bf16`
joined by `+`. Reads lines from standard input: `run N` takes N steps and prints one JSON object,
`{"stepMs": [N times], "loss": the last one, "peakRssBytes": so far}`. Ends where the input ends. Before that, one line says
what was built. Everything is done the way that is fastest here: a fused optimiser, scaled_dot_product_attention, batches
that lie in memory already. The search, the losses and the optimiser stay in float32, as Gyre's do.
"""

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from vector_quantize_pytorch import VectorQuantize


def group_count(channels):
    groups = min(32, channels)
    while channels % groups:
        groups -= 1
    return groups


def norm(channels):
    return nn.GroupNorm(group_count(channels), channels, eps=1e-6)


class Skip(nn.Module):
    """skip(x) + body(x)"""

    def __init__(self, body, skip=None):
        super().__init__()
        self.body, self.skip = body, skip or nn.Identity()

    def forward(self, x):
        return self.skip(x) + self.body(x)


def quick_residual(width):
    narrow = max(1, width // 4)
    return Skip(nn.Sequential(nn.ReLU(), nn.Conv2d(width, narrow, 3, padding=1), nn.ReLU(), nn.Conv2d(narrow, width, 1)))


def residual(channels, out):
    body = nn.Sequential(
        norm(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1),
        norm(out), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1),
    )
    return Skip(body, None if channels == out else nn.Conv2d(channels, out, 1))


class Attention(nn.Module):
    """One head over all positions, with its own norm and residual."""

    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.query, self.key, self.value, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        query, key, value = (part(h).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))  # [N, HW, C]
        mixed = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(mixed.transpose(1, 2).unflatten(2, x.shape[2:]))


class LayerNorm(nn.Module):
    """Over the channels of each position of [N, C, H, W]."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def middle(channels):
    return [residual(channels, channels), Attention(channels), residual(channels, channels)]


def cnn(c):
    """The paper's network: encoder and decoder."""
    base, multipliers, blocks = c["channels"], c["channelMultipliers"], c["residualBlocks"]
    dim = c["codeDim"]
    latent = 2 * base if len(multipliers) >= 5 else dim
    attends = lambda level: c["imageSize"] // 2**level in c["attention"]

    encoder, width = [nn.Conv2d(c["channelsIn"], base, 3, padding=1)], base
    for level, multiplier in enumerate(multipliers):
        for _ in range(blocks):
            encoder.append(residual(width, base * multiplier))
            width = base * multiplier
            if attends(level):
                encoder.append(Attention(width))
        if level < len(multipliers) - 1:
            encoder += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(width, width, 3, stride=2)]
    encoder += [*middle(width), norm(width), nn.SiLU(), nn.Conv2d(width, latent, 3, padding=1)]
    if latent != dim:
        encoder.append(nn.Conv2d(latent, dim, 1))
    if c["distance"] == "cosine":
        encoder.append(LayerNorm(dim))

    decoder = [nn.Conv2d(dim, latent, 1)] if latent != dim else []
    width = base * (multipliers[-1] if blocks else 1)
    decoder += [nn.Conv2d(latent, width, 3, padding=1), *middle(width)]
    for level in reversed(range(len(multipliers))):
        for _ in range(blocks + 1):
            decoder.append(residual(width, base * multipliers[level]))
            width = base * multipliers[level]
            if attends(level):
                decoder.append(Attention(width))
        if level > 0:
            decoder += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)]
    decoder += [norm(width), nn.SiLU(), nn.Conv2d(width, c["channelsIn"], 3, padding=1)]
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def quick(c):
    """The network of the preset "Quick look": encoder and decoder."""
    width, dim, colours = c["channels"], c["codeDim"], c["channelsIn"]
    blocks = lambda: [quick_residual(width) for _ in range(c["residualBlocks"])]
    encoder = nn.Sequential(
        nn.Conv2d(colours, width // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1), *blocks(), nn.ReLU(), nn.Conv2d(width, dim, 1),
    )
    decoder = nn.Sequential(
        nn.Conv2d(dim, width, 3, padding=1), *blocks(), nn.ReLU(),
        nn.ConvTranspose2d(width, width // 2, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width // 2, colours, 4, 2, 1),
    )
    return encoder, decoder


def quantizer(c):
    """Refuses what would not be the same work."""
    if c["quantizer"] != "vq" or c["estimator"] not in ("ste", "rotation") or c["codebookUpdate"] != "ema" or c["latentDim"]:
        sys.exit("Only quantizer vq with ste or rotation and running means (ema) has the same work on both sides.")
    return VectorQuantize(
        dim=c["codeDim"], codebook_size=c["codebookSize"], decay=c["emaDecay"], commitment_weight=c["commitmentWeight"],
        kmeans_init=False, use_cosine_sim=c["distance"] == "cosine", rotation_trick=c["estimator"] == "rotation",
        threshold_ema_dead_code=c["deadCodeThreshold"],
    )


def train_step(c, variant):
    """A function that takes one step and returns its loss, and the number of trained parameters and codes."""
    channels_last, compiled, bf16 = (word in variant for word in ("channels-last", "compile", "bf16"))
    encoder, decoder = cnn(c) if c["network"] == "cnn" else quick(c)
    layer = quantizer(c)
    size, images = c["imageSize"], c["batchSize"]
    batches = [torch.rand(images, c["channelsIn"], size, size) * 2 - 1 for _ in range(4)]
    if channels_last:
        encoder, decoder = (part.to(memory_format=torch.channels_last) for part in (encoder, decoder))
        batches = [x.to(memory_format=torch.channels_last) for x in batches]
    parameters = [*encoder.parameters(), *decoder.parameters()]
    kind = torch.optim.AdamW if c["optimizer"] == "adamw" else torch.optim.Adam
    decay = {"weight_decay": c["weightDecay"]} if c["optimizer"] == "adamw" else {}
    optimizer = kind(parameters, lr=c["learningRate"], betas=tuple(c["betas"]), fused=True, **decay)
    mixed = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16)

    def loss_of(x):
        with mixed():
            z = encoder(x)  # [N, D, H, W]
        with torch.autocast("cpu", enabled=False):
            q, _, commitment = layer(z.float().permute(0, 2, 3, 1).flatten(1, 2))  # [N, HW, D]
        with mixed():
            y = decoder(q.unflatten(1, z.shape[2:]).permute(0, 3, 1, 2))
        return F.mse_loss(y.float(), x) + commitment.sum()

    forward = torch.compile(loss_of) if compiled else loss_of
    steps = 0

    def step():
        nonlocal steps
        loss = forward(batches[steps % len(batches)])
        steps += 1
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if c["gradientClip"] > 0:
            nn.utils.clip_grad_norm_(parameters, c["gradientClip"])
        optimizer.step()
        return loss.item()

    return step, sum(p.numel() for p in parameters) + c["codebookSize"] * c["codeDim"]


def peak_rss():
    """The most memory this process has held. What `getrusage` says may be that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def say(value):
    print(json.dumps(value), flush=True)


def main():
    config, variant = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2].split("+")
    unknown = set(variant) - {"eager", "channels-last", "compile", "bf16"}
    if unknown:
        sys.exit(f"There is no variant {', '.join(sorted(unknown))}.")
    torch.manual_seed(config["seed"])
    torch.set_num_threads(os.cpu_count() or 1)
    step, parameters = train_step(config, variant)
    say({
        "torch": torch.__version__, "vectorQuantizePytorch": version("vector-quantize-pytorch"),
        "threads": torch.get_num_threads(), "parameters": parameters,
    })
    for line in sys.stdin:
        word, count = line.split()
        if word != "run":
            sys.exit(f"Not understood: {line}")
        times, loss = [], None
        for _ in range(int(count)):
            started = time.perf_counter()
            loss = step()
            times.append((time.perf_counter() - started) * 1000)
        say({"stepMs": times, "loss": loss, "peakRssBytes": peak_rss()})


main()
