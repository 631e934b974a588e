// Convolutions in float32 by Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308), and their gradients: with filters of
// 3×3 in steps of one pixel, F(2×2, 3×3), four results from 16 products instead of 36; with filters of 4×4 in steps of two,
// F(2×2, 2×2) on each of the four grids of every other pixel, four results from 36 products instead of 64. oneDNN has no such
// thing any more.
//
//   GyreConvolution(x, w; filter) → y; y[n, y, x, k] = Σ x[n, s·y + i − 1, s·x + j − 1, c] · w[i, j, c, k], zeros around x
//   GyreConvolutionBias(x, w, b; filter, relu) → y + b, none of it below zero with `relu`
//   GyreConvolutionBack(sizes, w, g; filter) → the gradient of x, whose shape is `sizes`; also a transposed convolution of g
//   GyreConvolutionFilter(x, g; filter) → the gradient of w
//     filter: F, 3 or 4;
//     x [N, H, W, C], w [3, 3, C, K] (s = 1) or [4, 4, C, K] (s = 2), b [K], g and y [N, ⌈H/s⌉, ⌈W/s⌉, K]
//
// A tile is 2×2 pixels of the result and those around them in the source: x' = Bᵀ x B, w' = G w Gᵀ for 16 points each (9 for each
// grid), y = Aᵀ (x' ⊙ w') A, where the sum over channels, and grids, is a product of matrices at each point. The filter's gradient
// is the same read backwards: w = Gᵀ Σ (x' ⊙ A g Aᵀ) G over all tiles. All that lies between is made for some tens of tiles at a
// time and stays in the cache.
#include "gyre_kernel.hpp"

#ifndef GYRE_WIDE
std::vector<gyre::Kernel> WinogradKernels() { return {}; }
#else

#include <cstdlib>

#include "gyre_winograd.hpp"

namespace {

using namespace gyre;
using namespace gyre::winograd;

constexpr int64_t kGradientRows = 8;          // channels that are multiplied together there
constexpr int64_t kFilterBlocks = 8;          // of 16 channels and 32 filters, that are worth another thread
constexpr int64_t kGatheredRows = 64;         // channels of a filter's gradient that are worth another thread
constexpr int64_t kGradientSums = 1 << 19;    // numbers of sums that stay in the cache

// Memory of a thread that is kept for the next time.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(memory_); }
  float* Get(int64_t size) {
    if (size > size_) {
      std::free(memory_);
      size_ = Blocks(size, kLanes) * kLanes;
      memory_ = static_cast<float*>(std::aligned_alloc(64, size_ * sizeof(float)));
      if (memory_ == nullptr) {
        size_ = 0;
        throw std::bad_alloc();
      }
    }
    return memory_;
  }

 private:
  float* memory_ = nullptr;
  int64_t size_ = 0;
};

// What a thread works in.
thread_local Buffer buffer;

// sums[r] += a[r · kRow + s · kStep] · b[s · 32 …] over all steps s.
template <int kRowCount, int kRow, int kStep>
WIDE_INLINE void Multiply(__m512 (&sums)[kRowCount][2], const float* a, const float* b, int64_t steps) {
  for (int64_t s = 0; s < steps; s++, a += kStep, b += kPanel) {
    const __m512 left = _mm512_load_ps(b), right = _mm512_load_ps(b + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRowCount; r++) {
      const __m512 factor = _mm512_set1_ps(a[r * kRow]);
      sums[r][0] = _mm512_fmadd_ps(factor, left, sums[r][0]);
      sums[r][1] = _mm512_fmadd_ps(factor, right, sums[r][1]);
    }
  }
}

// Up to kTiles tiles from `first` on, with the transformed filter.
template <int kEdge>
WIDE void ConvolveTiles(const Sizes<kEdge>& s, const float* x, const float* filter, const After& after, int64_t first,
                        float* out) {
  constexpr int kPoints = Sizes<kEdge>::kPoints;
  const int64_t depth = s.Depth(), point = depth * kTiles, count = std::min(kTiles, s.Tiles() - first);
  float* const sources = buffer.Get(kPoints * (point + kTiles * kPanel));
  float* const products = sources + kPoints * point;
  for (int64_t grid = 0; grid < s.OutGrids(); grid++) {
    for (int64_t t = 0; t < count; t++)
      TransformSource(s, Tile(s, first + t), grid, x, sources + t * kLanes, kTiles);
    for (int64_t panel = 0; panel < s.Panels(); panel++) {
      const float* b = filter + (grid * s.Panels() + panel) * kPoints * depth * kPanel;
      for (int i = 0; i < kPoints; i++, b += depth * kPanel)
        for (int64_t t = 0; t < count; t += kRows) {
          __m512 sums[kRows][2] = {};
          for (int64_t c = 0; c < depth; c += kLanes)
            Multiply<kRows, kLanes, 1>(sums, sources + i * point + c * kTiles + t * kLanes, b + c * kPanel, kLanes);
          float* const to = products + (i * kTiles + t) * kPanel;
#pragma GCC unroll 16
          for (int r = 0; r < kRows; r++) {
            _mm512_store_ps(to + r * kPanel, sums[r][0]);
            _mm512_store_ps(to + r * kPanel + kLanes, sums[r][1]);
          }
        }
      for (int64_t t = 0; t < count; t++)
        TransformBack(s, Tile(s, first + t).Result(s, grid), products + t * kPanel, after, panel, out);
    }
  }
}

template <int kEdge>
void Convolve(const Sizes<kEdge>& s, const float* x, const float* w, const After& after, float* filter, float* out) {
  const int64_t blocks = s.ChannelBlocks(), sources = s.Grids() * blocks;
  InParts(sources * s.OutGrids() * s.Panels(), kFilterBlocks, [&](int64_t first, int64_t count) {
    for (int64_t i = first; i < first + count; i++) {
      const int64_t source = i % sources, result = i / sources;
      TransformFilter(s, w, source / blocks, source % blocks, result / s.Panels(), result % s.Panels(), filter);
    }
  });
  ForEach(Blocks(s.Tiles(), kTiles), [&](int64_t i) { ConvolveTiles(s, x, filter, after, i * kTiles, out); });
}

// Some of the tiles, and some of the filters.
struct Block {
  int64_t first_tile, tiles, first_panel, panels;
};

// Σ x' ⊙ A g Aᵀ over the tiles of a block, to sums [panels, points, depth, 32].
template <int kEdge>
WIDE void SumTiles(const Sizes<kEdge>& s, const float* x, const float* g, const Block& block, float* sums) {
  constexpr int kPoints = Sizes<kEdge>::kPoints;
  const int64_t depth = s.Depth(), source = depth * kGradientTiles, gradient = block.panels * kGradientTiles * kPanel;
  float* const sources = buffer.Get(kPoints * (source + gradient));
  float* const gradients = sources + kPoints * source;
  float* const own = sums + block.first_panel * kPoints * depth * kPanel;
  std::fill_n(own, block.panels * kPoints * depth * kPanel, 0.0f);
  for (int64_t first = 0; first < block.tiles; first += kGradientTiles) {
    const int64_t count = std::min(kGradientTiles, block.tiles - first);
    for (int64_t t = 0; t < count; t++) {
      const Tile tile(s, block.first_tile + first + t);
      TransformSource(s, tile, 0, x, sources + t * kLanes, kGradientTiles);
      TransformGradient(s, tile.Result(s, 0), g, gradients + t * kPanel, block.first_panel, block.panels);
    }
    for (int64_t panel = 0; panel < block.panels; panel++)
      for (int i = 0; i < kPoints; i++)
        for (int64_t c = 0; c < depth; c += kGradientRows) {
          float* const to = own + ((panel * kPoints + i) * depth + c) * kPanel;
          __m512 found[kGradientRows][2];
#pragma GCC unroll 8
          for (int r = 0; r < kGradientRows; r++) {
            found[r][0] = _mm512_load_ps(to + r * kPanel);
            found[r][1] = _mm512_load_ps(to + r * kPanel + kLanes);
          }
          Multiply<kGradientRows, 1, kLanes>(
              found, sources + i * source + c / kLanes * kGradientTiles * kLanes + c % kLanes,
              gradients + i * gradient + panel * kGradientTiles * kPanel, count);
#pragma GCC unroll 8
          for (int r = 0; r < kGradientRows; r++) {
            _mm512_store_ps(to + r * kPanel, found[r][0]);
            _mm512_store_ps(to + r * kPanel + kLanes, found[r][1]);
          }
        }
  }
}

// How the work on a filter's gradient is shared: a part of fewer tiles would have more to do with its sums than with them.
template <int kEdge>
Division Share(const Sizes<kEdge>& s) {
  return Division(s.Panels(), std::max<int64_t>(1, kGradientSums / (s.kPoints * s.Depth() * kPanel)), s.Tiles(), kGradientTiles);
}

template <int kEdge>
void FilterGradient(const Sizes<kEdge>& s, const float* x, const float* g, float* sums, float* out) {
  const Division shares = Share(s);
  ForEach(shares.parts * shares.groups, [&](int64_t i) {
    const int64_t part = i / shares.groups, tile = part * shares.rows, panel = i % shares.groups * shares.units;
    const Block block = {tile, std::min(shares.rows, s.Tiles() - tile), panel, std::min(shares.units, s.Panels() - panel)};
    SumTiles(s, x, g, block, sums + part * s.Filter());
  });
  InParts(s.Grids() * s.channels, kGatheredRows, [&](int64_t first, int64_t count) {
    for (int64_t at = first; at < first + count; at++) GatherTaps(s, sums, shares.parts, at / s.channels, at % s.channels, out);
  });
}

// A kernel's state: 4 for filters of 3×3, 3 for those of 4×4, and whether a ReLU follows.
struct Options {
  int edge;
  bool relu;
};

void* CreateOptions(TF_OpKernelConstruction* construction) {
  Status status;
  int64_t filter = 0;
  TF_Bool relu = 0;
  TF_OpKernelConstruction_GetAttrInt64(construction, "filter", &filter, status.get());
  if (status.ok()) TF_OpKernelConstruction_GetAttrBool(construction, "relu", &relu, status.get());
  if (status.ok() && filter != 3 && filter != 4) status.Refuse("Filters must be 3×3 or 4×4.");
  if (!status.ok()) TF_OpKernelConstruction_Failure(construction, status.get());
  return new Options{filter == 4 ? 3 : 4, relu != 0};
}

// Whether w is [F, F, C, K] for an image of these channels and a result of those.
template <int kEdge>
bool Fits(const Shape& w, int64_t channels, int64_t filters) {
  return w == Shape{Sizes<kEdge>::kFilter, Sizes<kEdge>::kFilter, channels, filters};
}

template <int kEdge>
void Forward(const Options& options, bool has_bias, TF_OpKernelContext* context, Status& status) {
  const Tensor x = Tensor::Input(context, 0, status), w = Tensor::Input(context, 1, status);
  const Tensor bias = Tensor::Input(context, has_bias ? 2 : 1, status);
  if (!status.ok()) return;
  const Shape in = x.shape(), taps = w.shape();
  if (in.size() != 4 || taps.size() != 4 || !Fits<kEdge>(taps, in[3], taps[3]))
    return status.Refuse("x and w must be [N, H, W, C] and [F, F, C, K].");
  if (has_bias && bias.size() != taps[3]) return status.Refuse("The bias must have a number for each filter.");
  const int64_t step = Sizes<kEdge>::kStep;
  const Sizes<kEdge> s = {in[0], in[1], in[2], in[3], Blocks(in[1], step), Blocks(in[2], step), taps[3]};
  const Tensor out = Tensor::Output(context, TF_FLOAT, {s.images, s.out_height, s.out_width, s.filters}, status);
  const Tensor filter = Tensor::Scratch(context, TF_FLOAT, s.Filter(), status);
  if (!status.ok()) return;
  const After after = {has_bias ? bias.as<float>() : nullptr, has_bias && options.relu};
  Convolve(s, x.as<float>(), w.as<float>(), after, filter.as<float>(), out.as<float>());
}

template <int kEdge>
void Back(TF_OpKernelContext* context, Status& status) {
  const Tensor sizes = Tensor::Input(context, 0, status), w = Tensor::Input(context, 1, status);
  const Tensor g = Tensor::Input(context, 2, status);
  if (!status.ok()) return;
  const Shape back = g.shape(), taps = w.shape();
  if (sizes.size() != 4 || back.size() != 4) return status.Refuse("There must be four sizes, and g must be [N, H, W, K].");
  const int32_t* const in = sizes.as<int32_t>();
  const int64_t step = Sizes<kEdge>::kStep;
  const bool sized = std::all_of(in, in + 4, [](int32_t size) { return size >= 0; });
  if (!sized || !Fits<kEdge>(taps, in[3], back[3]) || back[0] != in[0] || back[1] != Blocks(in[1], step) ||
      back[2] != Blocks(in[2], step))
    return status.Refuse("The sizes must be those of the images of g and the filter.");
  const Sizes<kEdge> s = {back[0], back[1], back[2], back[3], in[1], in[2], in[3], true};
  const Tensor out = Tensor::Output(context, TF_FLOAT, {in[0], in[1], in[2], in[3]}, status);
  const Tensor filter = Tensor::Scratch(context, TF_FLOAT, s.Filter(), status);
  if (!status.ok()) return;
  Convolve(s, g.as<float>(), w.as<float>(), {nullptr, false}, filter.as<float>(), out.as<float>());
}

template <int kEdge>
void Filter(TF_OpKernelContext* context, Status& status) {
  const Tensor x = Tensor::Input(context, 0, status), g = Tensor::Input(context, 1, status);
  if (!status.ok()) return;
  const Shape in = x.shape(), back = g.shape();
  const int64_t step = Sizes<kEdge>::kStep, edge = Sizes<kEdge>::kFilter;
  if (in.size() != 4 || back.size() != 4 || back[0] != in[0] || back[1] != Blocks(in[1], step) ||
      back[2] != Blocks(in[2], step))
    return status.Refuse("x and g must be the images and the results of a convolution.");
  const Sizes<kEdge> s = {in[0], in[1], in[2], in[3], back[1], back[2], back[3]};
  const Tensor out = Tensor::Output(context, TF_FLOAT, {edge, edge, s.channels, s.filters}, status);
  if (!status.ok()) return;
  if (s.Tiles() * s.channels * s.filters == 0) return std::fill_n(out.as<float>(), out.size(), 0.0f), void();
  const Tensor sums = Tensor::Scratch(context, TF_FLOAT, Share(s).parts * s.Filter(), status);
  if (status.ok()) FilterGradient(s, x.as<float>(), g.as<float>(), sums.as<float>(), out.as<float>());
}

template <bool kHasBias>
void ComputeForward(void* state, TF_OpKernelContext* context, Status& status) {
  const auto& options = *static_cast<Options*>(state);
  (options.edge == 4 ? Forward<4> : Forward<3>)(options, kHasBias, context, status);
}
void ComputeBack(void* state, TF_OpKernelContext* context, Status& status) {
  (static_cast<Options*>(state)->edge == 4 ? Back<4> : Back<3>)(context, status);
}
void ComputeFilter(void* state, TF_OpKernelContext* context, Status& status) {
  (static_cast<Options*>(state)->edge == 4 ? Filter<4> : Filter<3>)(context, status);
}

}  // namespace

std::vector<gyre::Kernel> WinogradKernels() {
  const char *x = "x: float", *w = "w: float", *g = "g: float", *y = "y: float";
  const auto kernel = [](const char* name, std::vector<const char*> inputs, const char* output, auto compute) {
    return Kernel{name, inputs, {output}, compute, &TF_ShapeInferenceContextSetUnknownShape,
                  {"filter: int", "relu: bool = false"}, &CreateOptions,
                  [](void* state) { delete static_cast<Options*>(state); }};
  };
  return {kernel("GyreConvolution", {x, w}, y, &Reporting<&ComputeForward<false>>),
          kernel("GyreConvolutionBias", {x, w, "bias: float"}, y, &Reporting<&ComputeForward<true>>),
          kernel("GyreConvolutionBack", {"sizes: int32", w, g}, y, &Reporting<&ComputeBack>),
          kernel("GyreConvolutionFilter", {x, g}, y, &Reporting<&ComputeFilter>)};
}

#endif
