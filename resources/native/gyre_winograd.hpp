// Convolutions by Winograd's minimal filtering: the sizes, where a tile reads and writes, and the transforms of images, filters,
// results and gradients. What they are for, and the formulas, see gyre_winograd.cpp, the only file that reads this one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gyre_kernel.hpp"
#include "gyre_wide.hpp"

namespace gyre::winograd {

constexpr int kPanel = 2 * kLanes;            // filters that are computed together
constexpr int64_t kRows = 14;                 // tiles that are multiplied together: 28 vectors of sums
constexpr int64_t kTiles = 2 * kRows;         // tiles that are transformed together
constexpr int64_t kGradientTiles = 48;        // the same of the filter's gradient, whose sums are read and written each time

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

}  // namespace gyre::winograd
