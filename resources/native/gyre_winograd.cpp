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

#include <algorithm>
#include <cstdlib>

#include "gyre_wide.hpp"

namespace {

using namespace gyre;

constexpr int kPanel = 2 * kLanes;            // filters that are computed together
constexpr int64_t kRows = 14;                 // tiles that are multiplied together: 28 vectors of sums
constexpr int64_t kTiles = 2 * kRows;         // tiles that are transformed together
constexpr int64_t kGradientTiles = 48;        // the same of the filter's gradient, whose sums are read and written each time
constexpr int64_t kGradientRows = 8;          // channels that are multiplied together there
constexpr int64_t kFilterBlocks = 8;          // of 16 channels and 32 filters, that are worth another thread
constexpr int64_t kGatheredRows = 64;         // channels of a filter's gradient that are worth another thread
constexpr int64_t kGradientSums = 1 << 19;    // numbers of sums that stay in the cache

// A source of `channels` becomes a result of `filters`. kEdge: points on a side, 4 for filters of 3×3 and 3 for those of 4×4.
template <int kEdge>
struct Sizes {
  static constexpr int kTaps = kEdge == 4 ? 3 : 2;     // of one grid, on a side
  static constexpr int kStep = kEdge == 4 ? 1 : 2;     // of the convolution
  static constexpr int kFilter = kTaps * kStep;        // taps on a side
  static constexpr int kPoints = kEdge * kEdge;

  int64_t images, height, width, channels;      // of the source
  int64_t out_height, out_width, filters;       // of the result
  bool back = false;                            // the way back: from the gradient of y to that of x

  // Every other row and column of the source, or of the result on the way back, is a grid of its own.
  int64_t Grids() const { return back ? 1 : kStep * kStep; }
  int64_t OutGrids() const { return back ? kStep * kStep : 1; }
  int64_t OutStep() const { return back ? kStep : 1; }
  int64_t Down() const { return Blocks(out_height, 2 * OutStep()); }
  int64_t Across() const { return Blocks(out_width, 2 * OutStep()); }
  int64_t Tiles() const { return images * Down() * Across(); }
  int64_t ChannelBlocks() const { return Blocks(channels, kLanes); }
  // Numbers that are multiplied and summed for one result at one point.
  int64_t Depth() const { return Grids() * ChannelBlocks() * kLanes; }
  int64_t Panels() const { return Blocks(filters, kPanel); }
  // Numbers of the transformed filter, [out grids, panels, points, depth, 32], with zeros up to whole blocks.
  int64_t Filter() const { return OutGrids() * Panels() * kPoints * Depth() * kPanel; }
  // The filter's row or column under tap `a` of a grid.
  int Tap(int a, int64_t grid, int64_t out_grid) const {
    return static_cast<int>(back ? kFilter - 1 - kStep * a - out_grid : kStep * a + grid);
  }
};

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

// Bᵀ of a column.
WIDE_INLINE void Spread(__m512& a, __m512& b, __m512& c, __m512& d) {
  const __m512 first = _mm512_sub_ps(a, c), second = _mm512_add_ps(b, c), third = _mm512_sub_ps(c, b);
  d = _mm512_sub_ps(b, d);
  a = first, b = second, c = third;
}
WIDE_INLINE void Spread(__m512& a, __m512& b, __m512& c) {
  a = _mm512_sub_ps(a, b);
  c = _mm512_sub_ps(b, c);
}

// G of a column.
WIDE_INLINE void SpreadFilter(const __m512 (&w)[3], __m512 (&to)[4]) {
  const __m512 half = _mm512_set1_ps(0.5f);
  const __m512 outer = _mm512_mul_ps(_mm512_add_ps(w[0], w[2]), half), inner = _mm512_mul_ps(w[1], half);
  to[0] = w[0], to[1] = _mm512_add_ps(outer, inner), to[2] = _mm512_sub_ps(outer, inner), to[3] = w[2];
}
WIDE_INLINE void SpreadFilter(const __m512 (&w)[2], __m512 (&to)[3]) {
  to[0] = w[0], to[1] = _mm512_add_ps(w[0], w[1]), to[2] = w[1];
}

// Aᵀ of a column.
WIDE_INLINE void Gather(const __m512 (&m)[4], __m512 (&to)[2]) {
  to[0] = _mm512_add_ps(m[0], _mm512_add_ps(m[1], m[2]));
  to[1] = _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);
}
WIDE_INLINE void Gather(const __m512 (&m)[3], __m512 (&to)[2]) {
  to[0] = _mm512_add_ps(m[0], m[1]);
  to[1] = _mm512_sub_ps(m[1], m[2]);
}

// A of a column.
WIDE_INLINE void SpreadGradient(const __m512 (&g)[2], __m512 (&to)[4]) {
  to[0] = g[0], to[1] = _mm512_add_ps(g[0], g[1]), to[2] = _mm512_sub_ps(g[0], g[1]);
  to[3] = _mm512_sub_ps(_mm512_setzero_ps(), g[1]);
}
WIDE_INLINE void SpreadGradient(const __m512 (&g)[2], __m512 (&to)[3]) {
  to[0] = g[0], to[1] = _mm512_add_ps(g[0], g[1]), to[2] = _mm512_sub_ps(_mm512_setzero_ps(), g[1]);
}

// Gᵀ of a column.
WIDE_INLINE void GatherFilter(const __m512 (&m)[4], __m512 (&to)[3]) {
  const __m512 half = _mm512_set1_ps(0.5f), middle = _mm512_mul_ps(_mm512_add_ps(m[1], m[2]), half);
  to[0] = _mm512_add_ps(m[0], middle), to[1] = _mm512_mul_ps(_mm512_sub_ps(m[1], m[2]), half);
  to[2] = _mm512_add_ps(middle, m[3]);
}
WIDE_INLINE void GatherFilter(const __m512 (&m)[3], __m512 (&to)[2]) {
  to[0] = _mm512_add_ps(m[0], m[1]), to[1] = _mm512_add_ps(m[1], m[2]);
}

// Pixels of an image, row by row: where each is, and whether there is such a one.
template <int kEdge>
struct Window {
  int64_t pixel[kEdge][kEdge];
  bool inside[kEdge][kEdge];

  Window() = default;
  Window(int64_t image, int64_t height, int64_t width, int64_t top, int64_t left, int64_t step) {
    for (int i = 0; i < kEdge; i++)
      for (int j = 0; j < kEdge; j++) {
        const int64_t y = top + i * step, x = left + j * step;
        inside[i][j] = y >= 0 && y < height && x >= 0 && x < width;
        pixel[i][j] = inside[i][j] ? (image * height + y) * width + x : 0;
      }
  }
};

struct Tile {
  int64_t image, top, left;

  template <int kEdge>
  Tile(const Sizes<kEdge>& s, int64_t tile) {
    image = tile / (s.Down() * s.Across());
    const int64_t at = tile % (s.Down() * s.Across());
    top = at / s.Across() * 2, left = at % s.Across() * 2;
  }

  // What is read of one grid of the source for one grid of the result.
  template <int kEdge>
  Window<kEdge> Source(const Sizes<kEdge>& s, int64_t grid, int64_t out_grid) const {
    const int64_t step = s.back ? 1 : s.kStep;
    const int64_t down = grid / s.kStep + out_grid / s.kStep, right = grid % s.kStep + out_grid % s.kStep;
    return {image, s.height, s.width, step * top - 1 + down, step * left - 1 + right, step};
  }
  template <int kEdge>
  Window<2> Result(const Sizes<kEdge>& s, int64_t out_grid) const {
    const int64_t step = s.OutStep();
    return {image, s.out_height, s.out_width, step * top + out_grid / s.kStep, step * left + out_grid % s.kStep, step};
  }
};

// Bᵀ x B of all grids of one tile to [points, grids, blocks, tiles, 16]; `to` is the tile's place in the first block.
template <int kEdge>
WIDE void TransformSource(const Sizes<kEdge>& s, const Tile& tile, int64_t out_grid, const float* x, float* to, int64_t tiles) {
  const int64_t next = s.Depth() * tiles;
  for (int64_t grid = 0; grid < s.Grids(); grid++) {
    const Window<kEdge> window = tile.Source(s, grid, out_grid);
    for (int64_t c = 0; c < s.channels; c += kLanes, to += tiles * kLanes) {
      const __mmask16 valid = Valid(s.channels - c);
      __m512 d[kEdge][kEdge];
#pragma GCC unroll 4
      for (int i = 0; i < kEdge; i++)
#pragma GCC unroll 4
        for (int j = 0; j < kEdge; j++)
          d[i][j] = _mm512_maskz_loadu_ps(window.inside[i][j] ? valid : 0, x + window.pixel[i][j] * s.channels + c);
#pragma GCC unroll 4
      for (int j = 0; j < kEdge; j++) {
        if constexpr (kEdge == 4) Spread(d[0][j], d[1][j], d[2][j], d[3][j]);
        else Spread(d[0][j], d[1][j], d[2][j]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kEdge; i++) {
        if constexpr (kEdge == 4) Spread(d[i][0], d[i][1], d[i][2], d[i][3]);
        else Spread(d[i][0], d[i][1], d[i][2]);
#pragma GCC unroll 4
        for (int j = 0; j < kEdge; j++) _mm512_store_ps(to + (i * kEdge + j) * next, d[i][j]);
      }
    }
  }
}

// The transformed filter of 16 channels of one grid and one panel. On the way back the filter's channels are the result's.
template <int kEdge>
WIDE void TransformFilter(const Sizes<kEdge>& s, const float* w, int64_t grid, int64_t block, int64_t out_grid, int64_t panel,
                          float* to) {
  constexpr int kTaps = Sizes<kEdge>::kTaps;
  const int64_t tap = s.channels * s.filters;
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i apart = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(static_cast<int>(s.channels)));
  for (int64_t c = block * kLanes; c < (block + 1) * kLanes; c++)
    for (int half = 0; half < 2; half++) {
      const int64_t k = panel * kPanel + half * kLanes;
      const __mmask16 valid = c < s.channels ? Valid(s.filters - k) : 0;
      __m512 g[kTaps], rows[kTaps][kEdge], column[kTaps], points[kEdge];
      for (int i = 0; i < kTaps; i++) {
        const int row = s.Tap(i, grid / s.kStep, out_grid / s.kStep);
        for (int j = 0; j < kTaps; j++) {
          const float* const from = w + (row * s.kFilter + s.Tap(j, grid % s.kStep, out_grid % s.kStep)) * tap;
          g[j] = s.back ? _mm512_mask_i32gather_ps(_mm512_setzero_ps(), valid, apart, from + k * s.channels + c, 4)
                        : _mm512_maskz_loadu_ps(valid, from + c * s.filters + k);
        }
        SpreadFilter(g, rows[i]);
      }
      const int64_t depth = s.Depth(), at = grid * s.ChannelBlocks() * kLanes + c;
      for (int j = 0; j < kEdge; j++) {
        for (int i = 0; i < kTaps; i++) column[i] = rows[i][j];
        SpreadFilter(column, points);
        for (int i = 0; i < kEdge; i++) {
          const int64_t point = (out_grid * s.Panels() + panel) * s.kPoints + i * kEdge + j;
          _mm512_store_ps(to + (point * depth + at) * kPanel + half * kLanes, points[i]);
        }
      }
    }
}

// What comes after the sums.
struct After {
  const float* bias;  // or none
  bool relu;
};

// Aᵀ m A of one tile for one panel, m [points, kTiles, 32].
template <int kEdge>
WIDE void TransformBack(const Sizes<kEdge>& s, const Window<2>& window, const float* m, const After& after, int64_t panel,
                        float* out) {
  for (int half = 0; half < 2; half++, m += kLanes) {
    const int64_t k = panel * kPanel + half * kLanes;
    const __mmask16 valid = Valid(s.filters - k);
    const __m512 bias = after.bias == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(valid, after.bias + k);
    __m512 column[kEdge], columns[kEdge][2];
#pragma GCC unroll 4
    for (int j = 0; j < kEdge; j++) {
#pragma GCC unroll 4
      for (int i = 0; i < kEdge; i++) column[i] = _mm512_load_ps(m + (i * kEdge + j) * kTiles * kPanel);
      Gather(column, columns[j]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      __m512 results[2];
#pragma GCC unroll 4
      for (int j = 0; j < kEdge; j++) column[j] = columns[j][i];
      Gather(column, results);
#pragma GCC unroll 2
      for (int j = 0; j < 2; j++) {
        __m512 y = _mm512_add_ps(results[j], bias);
        // In this order what is no number stays none.
        if (after.relu) y = _mm512_max_ps(_mm512_setzero_ps(), y);
        if (window.inside[i][j]) _mm512_mask_storeu_ps(out + window.pixel[i][j] * s.filters + k, valid, y);
      }
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

// A g Aᵀ of one tile to [points, panels, tiles, 32].
template <int kEdge>
WIDE void TransformGradient(const Sizes<kEdge>& s, const Window<2>& window, const float* g, float* to, int64_t first,
                            int64_t panels) {
  for (int64_t panel = 0; panel < panels; panel++, to += kGradientTiles * kPanel)
    for (int half = 0; half < 2; half++) {
      const int64_t k = (first + panel) * kPanel + half * kLanes;
      const __mmask16 valid = Valid(s.filters - k);
      __m512 y[2], rows[2][kEdge], points[kEdge];
      for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++)
          y[j] = _mm512_maskz_loadu_ps(window.inside[i][j] ? valid : 0, g + window.pixel[i][j] * s.filters + k);
        SpreadGradient(y, rows[i]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < kEdge; j++) {
        y[0] = rows[0][j], y[1] = rows[1][j];
        SpreadGradient(y, points);
#pragma GCC unroll 4
        for (int i = 0; i < kEdge; i++)
          _mm512_store_ps(to + (i * kEdge + j) * panels * kGradientTiles * kPanel + half * kLanes, points[i]);
      }
    }
}

// Some of the tiles, and some of the filters.
struct Share {
  int64_t first_tile, tiles, first_panel, panels;
};

// Σ x' ⊙ A g Aᵀ over the tiles of a share, to sums [panels, points, depth, 32].
template <int kEdge>
WIDE void SumTiles(const Sizes<kEdge>& s, const float* x, const float* g, const Share& share, float* sums) {
  constexpr int kPoints = Sizes<kEdge>::kPoints;
  const int64_t depth = s.Depth(), source = depth * kGradientTiles, gradient = share.panels * kGradientTiles * kPanel;
  float* const sources = buffer.Get(kPoints * (source + gradient));
  float* const gradients = sources + kPoints * source;
  float* const own = sums + share.first_panel * kPoints * depth * kPanel;
  std::fill_n(own, share.panels * kPoints * depth * kPanel, 0.0f);
  for (int64_t first = 0; first < share.tiles; first += kGradientTiles) {
    const int64_t count = std::min(kGradientTiles, share.tiles - first);
    for (int64_t t = 0; t < count; t++) {
      const Tile tile(s, share.first_tile + first + t);
      TransformSource(s, tile, 0, x, sources + t * kLanes, kGradientTiles);
      TransformGradient(s, tile.Result(s, 0), g, gradients + t * kPanel, share.first_panel, share.panels);
    }
    for (int64_t panel = 0; panel < share.panels; panel++)
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

// Gᵀ m G for one channel of one grid, where m is the sum of all parts.
template <int kEdge>
WIDE void GatherTaps(const Sizes<kEdge>& s, const float* sums, int64_t parts, int64_t grid, int64_t c, float* out) {
  constexpr int kTaps = Sizes<kEdge>::kTaps;
  const int64_t depth = s.Depth(), at = grid * s.ChannelBlocks() * kLanes + c;
  for (int64_t k = 0; k < s.filters; k += kLanes) {
    const float* const from = sums + (k / kPanel * s.kPoints * depth + at) * kPanel + k % kPanel;
    __m512 column[kEdge], columns[kEdge][kTaps], taps[kTaps];
    for (int j = 0; j < kEdge; j++) {
      for (int i = 0; i < kEdge; i++) {
        column[i] = _mm512_setzero_ps();
        for (int64_t part = 0; part < parts; part++)
          column[i] =
              _mm512_add_ps(column[i], _mm512_load_ps(from + part * s.Filter() + (i * kEdge + j) * depth * kPanel));
      }
      GatherFilter(column, columns[j]);
    }
    for (int i = 0; i < kTaps; i++) {
      for (int j = 0; j < kEdge; j++) column[j] = columns[j][i];
      GatherFilter(column, taps);
      for (int j = 0; j < kTaps; j++) {
        const int tap = s.Tap(i, grid / s.kStep, 0) * s.kFilter + s.Tap(j, grid % s.kStep, 0);
        _mm512_mask_storeu_ps(out + (tap * s.channels + c) * s.filters + k, Valid(s.filters - k), taps[j]);
      }
    }
  }
}

// How the work on a filter's gradient is shared: sums of a share stay in the cache, and there is one for each processor.
struct Shares {
  int64_t panels, groups, parts, tiles;

  template <int kEdge>
  explicit Shares(const Sizes<kEdge>& s) {
    const int64_t most = std::max<int64_t>(1, kGradientSums / (s.kPoints * s.Depth() * kPanel));
    groups = Blocks(s.Panels(), most);
    panels = Blocks(s.Panels(), groups);
    groups = Blocks(s.Panels(), panels);
    // A part of fewer tiles would have more to do with its sums than with them.
    tiles = std::max(kGradientTiles, Blocks(s.Tiles(), Blocks(Processors(), groups)));
    parts = Blocks(s.Tiles(), tiles);
  }
};

template <int kEdge>
void FilterGradient(const Sizes<kEdge>& s, const float* x, const float* g, float* sums, float* out) {
  const Shares shares(s);
  ForEach(shares.parts * shares.groups, [&](int64_t i) {
    const int64_t part = i / shares.groups, tile = part * shares.tiles, panel = i % shares.groups * shares.panels;
    const Share share = {tile, std::min(shares.tiles, s.Tiles() - tile), panel, std::min(shares.panels, s.Panels() - panel)};
    SumTiles(s, x, g, share, sums + part * s.Filter());
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
  if (std::any_of(in, in + 4, [](int32_t size) { return size < 0; }) || !Fits<kEdge>(taps, in[3], back[3]) || back[0] != in[0] || back[1] != Blocks(in[1], step) ||
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
  const Tensor sums = Tensor::Scratch(context, TF_FLOAT, Shares(s).parts * s.Filter(), status);
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
