"""Reference vectors for what the golden files do not hold, in float64.

Usage: python vectors.py FOLDER
Writes adaptive.json, baselines.json, quantizers.json and codebook.json in the form of resources/vectors/quantizers.json.
Each case is made by PyTorch's autograd of the formula printed in it, or by vector-quantize-pytorch, never by Gyre.
Shapes: z [N, D], codebook [K, D]; rows are vectors.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from vector_quantize_pytorch import VectorQuantize
from vector_quantize_pytorch.vector_quantize_pytorch import kmeans, orthogonal_loss_fn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.RandomState(20250217)


def drawn(*shape, scale=1.0):
    """Normal numbers, rounded so that the file holds exactly what was computed with."""
    return torch.from_numpy(np.round(random.standard_normal(shape) * scale, 5))


def plain(value):
    if torch.is_tensor(value):
        return plain(value.detach().tolist())
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(f"{value:.15g}") if isinstance(value, float) else value


def write(name, note, cases):
    text = json.dumps({"note": note, "cases": [{k: plain_tree(v) for k, v in c.items()} for c in cases]})
    (folder / f"{name}.json").write_text(text + "\n")


def plain_tree(value):
    return {k: plain_tree(v) for k, v in value.items()} if isinstance(value, dict) else plain(value)


def case(name, formula, inputs, run, wanted, **more):
    """Runs `run` on the inputs and differentiates to those in `wanted`. `run` gives the forward result and extras."""
    leaves = {k: v.clone().requires_grad_(k in wanted) for k, v in inputs.items()}
    forward, extra = run(leaves)
    result = {"name": name, "formula": formula, "inputs": inputs, "forward": forward, **extra, **more}
    if wanted:
        upstream = more.get("upstream", drawn(*forward.shape) if forward.numel() > 1 else torch.ones(1, 1))
        found = torch.autograd.grad((forward * upstream).sum(), [leaves[k] for k in wanted], allow_unused=True)
        zeros = [torch.zeros_like(leaves[k]) for k in wanted]
        gradients = {k: z if g is None else g for k, g, z in zip(wanted, found, zeros)}
        result |= {"upstream": upstream, "gradients": gradients}
    return result


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def nearest(z, codebook):
    return torch.cdist(z, codebook).argmin(dim=1)


def rotations(e, q):
    """The matrices R = I - 2rr' + 2 q^ e^' themselves, [N, D, D]."""
    e, q = unit(e), unit(q)
    r = unit(e + q)
    outer = lambda a, b: a.unsqueeze(2) * b.unsqueeze(1)
    return torch.eye(e.shape[1]) - 2 * outer(r, r) + 2 * outer(q, e)


def rotated(e, q, gamma):
    """q~ = sg(gamma R) e + sg(q - gamma R e)."""
    turned = gamma.detach() * (rotations(e, q).detach() @ e.unsqueeze(2)).squeeze(2)
    return turned + (q - turned).detach()


# --- adaptive.json ---------------------------------------------------------------------------------------------------
def adaptive(x):
    z, codebook = x["z"], x["codebook"]
    indices = nearest(z, codebook)
    chosen = torch.nn.functional.one_hot(indices, len(codebook)).double()  # [N, K]
    length = z.detach().norm(dim=1)
    norms = 0.8 * x["norms"] + 0.2 * (chosen.T @ length)
    squares = 0.8 * x["squares"] + 0.2 * (chosen.T @ length**2)
    q = codebook[indices]
    gamma = q.norm(dim=1, keepdim=True) * (norms / squares)[indices].unsqueeze(1)
    return rotated(z, q, gamma), {"indices": indices, "outputs": {"norms": norms, "squares": squares}}


def adaptive_case(dim):
    start = torch.from_numpy(np.round(random.uniform(0.5, 2, 5), 5))
    inputs = {"z": drawn(10, dim), "codebook": drawn(5, dim), "norms": start, "squares": (start**2 * 1.25).round(decimals=5)}
    formula = "decay 0.8; per code s <- 0.8 s + 0.2 sum over its z of |z| (norms), |z|^2 (squares); gamma = |q| norms/squares; sg(gamma R) z + sg(q - gamma R z)"
    return case("rotation_adaptive", formula, inputs, adaptive, ["z"])


write("adaptive", "float64 autograd of the printed formula, R as a matrix", [adaptive_case(d) for d in (2, 8, 64)])


# --- baselines.json --------------------------------------------------------------------------------------------------
decoder = {"W1": drawn(4, 6, scale=0.5), "b1": drawn(6, scale=0.2), "W2": drawn(6, 3, scale=0.5), "target": drawn(8, 3)}
decoder_formula = "L = mean((tanh(x W1 + b1) W2 - target)^2)"


def decoder_loss(x, weights):
    return ((torch.tanh(x @ weights["W1"] + weights["b1"]) @ weights["W2"] - weights["target"]) ** 2).mean()


def gradient_at(x, weights):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(decoder_loss(x, weights), x)[0]


def baseline(name, formula, gradient):
    z, q = drawn(8, 4), None
    q = (z + drawn(8, 4, scale=0.4)).round(decimals=5)
    g = gradient_at(q, decoder)
    found = {"z": gradient(z, q, g)}
    inputs = {"z": z, "q": q, **decoder}
    return {"name": name, "formula": f"{decoder_formula}; {formula}", "inputs": inputs, "upstream": g, "forward": q, "gradients": found}


def with_hessian(z, q, g):
    return g + torch.autograd.functional.hvp(lambda x: decoder_loss(x, decoder), q, z - q)[1]


def with_differences(z, q, g, h=0.1):
    move = h * (z - q)
    return g + (gradient_at(q + move, decoder) - gradient_at(q - move, decoder)) / (2 * h)


def second_pass(z, q, g):
    """The paper's own way: the unquantized pass enters the loss times 1e-6, its gradient comes back times 1e6."""
    x = z.clone().requires_grad_()
    total = decoder_loss(q, decoder) + 1e-6 * decoder_loss(x, decoder)
    return torch.autograd.grad(total, x)[0] * 1e6


write("baselines", "float64; g = dL/dx at x = q is the gradient above", [
    baseline("hessian", "g + H (z - q), H the Hessian of L at q, exact; compare with h = 0.02", with_hessian),
    baseline("hessian_differences", "g + (dL(q + h(z-q)) - dL(q - h(z-q)))/2h, h = 0.1", with_differences),
    baseline("exact_gradient", "dL/dx at x = z", second_pass),
])


# --- quantizers.json -------------------------------------------------------------------------------------------------
def grouped(estimator):
    def run(x):
        parts, chosen, indices = x["z"].chunk(len(x["codebooks"]), dim=1), [], []
        for part, codebook in zip(parts, x["codebooks"]):
            index = nearest(part, codebook)
            q = codebook[index]
            scale = q.norm(dim=1, keepdim=True) / part.norm(dim=1, keepdim=True)
            chosen.append(rotated(part, q, scale) if estimator == "rotation" else part + (q - part).detach())
            indices.append(index)
        forward = torch.cat(chosen, dim=1)
        commitment = ((x["z"] - forward.detach()) ** 2).mean().view(1)
        return forward, {"indices": torch.stack(indices, dim=1), "outputs": {"commitment": commitment}}
    return run


def grouped_case(estimator):
    formula = f"D cut into as many equal parts as codebooks; each part its nearest code and {estimator}; joined; commitment = mean((z - q)^2)"
    return case(f"grouped_{estimator}", formula, {"z": drawn(10, 12), "codebooks": drawn(3, 6, 4)}, grouped(estimator), ["z"])


def optvq(x):
    z, codebook = x["z"], x["codebook"]
    cost = torch.cdist(z, codebook) ** 2
    cost = (cost - cost.mean()) / cost.std(correction=0)
    plan = torch.exp(-10 * cost)
    for _ in range(5):
        plan = plan / plan.sum(dim=0, keepdim=True)
        plan = plan / plan.sum(dim=1, keepdim=True)
    best = plan.topk(2, dim=1).values
    assert (best[:, 0] > 1.001 * best[:, 1]).all(), "an assignment is too close"
    indices = plan.argmax(dim=1)
    assert (indices != nearest(z, codebook)).any(), "it differs nowhere from the nearest code"
    q = codebook[indices]
    return z + (q - z).detach(), {"indices": indices}


optvq_formula = "d = |z-c|^2; cost = (d - mean)/std (population) over the matrix; Q = exp(-10 cost); 5 times: columns to sum one, then rows; largest entry; STE"
write("quantizers", "float64 autograd of the printed formula", [
    grouped_case("ste"),
    grouped_case("rotation"),
    case("optvq_ste", optvq_formula, {"z": drawn(24, 6), "codebook": drawn(8, 6)}, optvq, ["z"]),
])


# --- codebook.json ---------------------------------------------------------------------------------------------------
def kmeans_case(name, cosine):
    vectors = unit(drawn(60, 4)).round(decimals=5) if cosine else drawn(60, 4)
    if cosine:
        vectors = unit(vectors)
    chosen = torch.from_numpy(random.permutation(60)[:7])
    start = lambda samples, count: samples[:, chosen]
    means, _ = kmeans(vectors.unsqueeze(0), 7, num_iters=10, use_cosine_sim=cosine, sample_fn=start)
    formula = "vector-quantize-pytorch's kmeans from the chosen vectors, 10 rounds" + (", on the unit sphere" if cosine else "")
    return {"name": name, "formula": formula, "inputs": {"vectors": vectors, "chosen": chosen}, "forward": means[0]}


def revival_case():
    """vector-quantize-pytorch's own expire_codes_, told which vectors to take."""
    vectors, codebook = drawn(20, 4), drawn(6, 4)
    counts = torch.tensor([3.0, 0.25, 1.5, 1.99, 2.0, 0.0])
    sums, chosen = drawn(6, 4), torch.from_numpy(random.permutation(20)[:6])
    layer = VectorQuantize(dim=4, codebook_size=6, threshold_ema_dead_code=2)._codebook
    layer.embed.data.copy_(codebook.unsqueeze(0))
    layer.cluster_size.data.copy_(counts.unsqueeze(0))
    layer.embed_avg.data.copy_(sums.unsqueeze(0))
    dead = counts < 2
    layer.replace_sample_fn = lambda samples, count: samples[:, chosen[dead]]
    layer.expire_codes_(vectors.unsqueeze(0))
    inputs = {"vectors": vectors, "codebook": codebook, "counts": counts, "sums": sums, "chosen": chosen}
    outputs = {"counts": layer.cluster_size[0], "sums": layer.embed_avg[0]}
    formula = "vector-quantize-pytorch's expire_codes_, threshold 2; dead code k becomes vector chosen[k]"
    return {"name": "revival", "formula": formula, "inputs": inputs, "forward": layer.embed[0], "outputs": outputs}


def orthogonal(x):
    return orthogonal_loss_fn(x["codebook"].unsqueeze(0)).view(1, 1), {}


def entropy(x):
    distances = ((x["z"].unsqueeze(1) - x["codebook"].unsqueeze(0)) ** 2).sum(-1)
    p = torch.softmax(-distances / 0.7, dim=1)
    h = lambda q: -(q * q.log()).sum(-1)
    return (h(p).mean() - h(p.mean(dim=0))).view(1, 1), {}


write("codebook", "float64; kmeans, revival and orthogonal by vector-quantize-pytorch, entropy by autograd of its formula", [
    kmeans_case("kmeans", False),
    kmeans_case("kmeans_cosine", True),
    revival_case(),
    case("orthogonal", "|C^ C^T - I|^2 / K^2, C^ unit rows (vector-quantize-pytorch's orthogonal_loss_fn)", {"codebook": drawn(9, 4)}, orthogonal, ["codebook"]),
    case("entropy", "temperature 0.7; mean H(p) - H(mean p), p = softmax(-|z-c|^2/0.7), natural logarithm", {"z": drawn(14, 4), "codebook": drawn(9, 4)}, entropy, ["z", "codebook"]),
])
