// The gradient of a convolution's filter in bfloat16, for processors with matrix tiles (AMX): what is read is bfloat16, sums
// and results are float32. TensorFlow's own takes several times as long here as the convolution itself.
//
//   GyreFilterGradient(x, g; kernel, strides, padding) → [KH, KW, C, K]
//     dW[i, j, c, k] = Σ x[n, y·s + i − top, x·s + j − left, c] · g[n, y, x, k]
//     x [N, H, W, C], g [N, OH, OW, K]; kernel: [KH, KW]; strides: [down, right]; padding: [top, left]
//
// The products are those of two matrices over the pixels. A tile of the left one wants consecutive pixels in a row, so x is
// turned to channels first, in one plane for each phase of the stride and with its padding: a tap of the filter is then an
// offset. A tile of the right one wants pixels in pairs. Rows of g are as long as those of x, with zeros where x is padded.
// Where the channels under a whole row of the filter fit into one tile, as those of colours do, they are taken as one pixel.
#include "gyre_kernel.hpp"

#ifndef GYRE_TILES
std::vector<gyre::Kernel> FilterGradientKernels() { return {}; }
#else

#include <algorithm>
#include <cstring>
#include <immintrin.h>

#define WITH_TILES __attribute__((target("avx512f,avx512bw,avx512vl,amx-tile,amx-bf16")))

namespace {

using namespace gyre;

constexpr int kEdge = 16;    // rows of a tile, and numbers of 32 bits in one
constexpr int kPixels = 32;  // numbers of 16 bits in a row
constexpr int64_t kTileBytes = 1024;

WITH_TILES void ConfigureTiles() {
  alignas(64) uint8_t config[64] = {};
  config[0] = 1;
  for (int tile = 0; tile < 8; tile++) {
    config[16 + 2 * tile] = 64;
    config[48 + tile] = kEdge;
  }
  // The compiler knows nothing of what this reads, nor of what the tiles read after it.
  __asm__ volatile("" ::: "memory");
  _tile_loadconfig(config);
}

struct Sizes {
  int64_t images, height, width, channels, out_height, out_width, filters;
  int kernel[2], strides[2], padding[2];
  // Of x as it lies in memory: pixels that are taken as one, and how many pixels further the next one is.
  int64_t together = 1, step = 1;

  // The same where pixels under a row of the filter are one pixel of more channels, and the filter has one column.
  Sizes Together() const {
    Sizes joined = *this;
    if (channels * kernel[1] > kEdge) return joined;
    joined.together = kernel[1], joined.step = strides[1];
    joined.channels = channels * kernel[1], joined.kernel[1] = joined.strides[1] = 1;
    return joined;
  }
  int64_t Pixel() const { return channels / together; }
  // Of a plane, and pixels from one image to the next.
  int64_t PlaneWidth() const { return out_width + (kernel[1] - 1) / strides[1]; }
  int64_t Pitch() const { return (out_height + (kernel[0] - 1) / strides[0]) * PlaneWidth(); }
  int64_t Chunks() const { return Blocks(out_height * PlaneWidth(), kPixels); }
  int64_t Planes() const { return int64_t(strides[0]) * strides[1]; }
  int64_t ChannelBlocks() const { return Blocks(channels, kEdge); }
  int64_t FilterBlocks() const { return Blocks(filters, kEdge); }
  int64_t FilterPairs() const { return Blocks(FilterBlocks(), 2); }
  int64_t Columns() const { return FilterPairs() * kernel[0]; }
  // Numbers from one channel to the next. The last tap's last tile reads past the last image. An odd number of cache lines,
  // so that the rows of a tile do not share one place in the cache.
  int64_t Row() const { return (Blocks(images * Pitch() + Pitch() + 2 * kPixels, kPixels) | 1) * kPixels; }
  int64_t Left() const { return Planes() * ChannelBlocks() * kEdge * Row(); }
  int64_t Right() const { return FilterBlocks() * images * Chunks() * kTileBytes / 2; }
};

// 16 pixels of 16 channels become 16 channels of 16 pixels.
WITH_TILES inline void Transpose(__m256i* rows) {
  __m256i a[kEdge], b[kEdge];
  for (int i = 0; i < kEdge; i += 2) {
    a[i] = _mm256_unpacklo_epi16(rows[i], rows[i + 1]);
    a[i + 1] = _mm256_unpackhi_epi16(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < kEdge; i += 4)
    for (int half = 0; half < 2; half++) {
      b[i + 2 * half] = _mm256_unpacklo_epi32(a[i + half], a[i + half + 2]);
      b[i + 2 * half + 1] = _mm256_unpackhi_epi32(a[i + half], a[i + half + 2]);
    }
  for (int i = 0; i < kEdge; i += 8)
    for (int four = 0; four < 4; four++) {
      a[i + 2 * four] = _mm256_unpacklo_epi64(b[i + four], b[i + four + 4]);
      a[i + 2 * four + 1] = _mm256_unpackhi_epi64(b[i + four], b[i + four + 4]);
    }
  for (int i = 0; i < 8; i++) {
    rows[i] = _mm256_permute2x128_si256(a[i], a[i + 8], 0x20);
    rows[i + 8] = _mm256_permute2x128_si256(a[i], a[i + 8], 0x31);
  }
}

// Where a pixel is in its image, and which of sixteen channels there are inside it.
struct Place {
  int64_t at = 0;
  __mmask16 inside = 0;
};

// The pixels of one image, in the order in which a plane has them.
std::vector<Place> PlanePixels(const Sizes& s, int64_t plane) {
  const int64_t down = plane / s.strides[1], right = plane % s.strides[1];
  std::vector<Place> places(Blocks(s.Pitch(), kEdge) * kEdge);
  for (int64_t at = 0; at < s.Pitch(); at++) {
    const int64_t y = at / s.PlaneWidth() * s.strides[0] + down - s.padding[0];
    const int64_t x = at % s.PlaneWidth() * s.strides[1] * s.step + right - s.padding[1];
    if (y < 0 || y >= s.height) continue;
    places[at].at = (y * s.width + x) * s.Pixel();
    for (int64_t i = 0; i < s.together; i++) {
      const int64_t size = s.together == 1 ? kEdge : s.Pixel();
      if (x + i >= 0 && x + i < s.width) places[at].inside |= ((1 << size) - 1) << i * size;
    }
  }
  return places;
}

std::vector<int64_t> GradientPixels(const Sizes& s) {
  std::vector<int64_t> pixels(s.Chunks() * kPixels, -1);
  for (int64_t at = 0; at < s.out_height * s.PlaneWidth(); at++) {
    const int64_t y = at / s.PlaneWidth(), x = at % s.PlaneWidth();
    if (x < s.out_width) pixels[at] = y * s.out_width + x;
  }
  return pixels;
}

__mmask16 Valid(int64_t size, int64_t block) {
  const int64_t left = size - block * kEdge;
  return left >= kEdge ? 0xffff : static_cast<__mmask16>((1 << left) - 1);
}

// Sixteen channels of one plane, all images.
WITH_TILES void FillPlane(const Sizes& s, const std::vector<Place>& places, int64_t block, const Half* x, Half* to) {
  const __mmask16 valid = Valid(s.channels, block);
  const int64_t row = s.Row();
  for (int64_t n = 0; n < s.images; n++) {
    const Half* image = x + n * s.height * s.width * s.Pixel() + block * kEdge;
    Half* target = to + n * s.Pitch();
    // What goes past an image's end is overwritten by the next one.
    for (size_t at = 0; at < places.size(); at += kEdge) {
      __m256i rows[kEdge];
      for (int i = 0; i < kEdge; i++)
        rows[i] = _mm256_maskz_loadu_epi16(valid & places[at + i].inside, image + places[at + i].at);
      Transpose(rows);
      for (int i = 0; i < kEdge; i++)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i * row + at), rows[i]);
    }
  }
  // Zeros behind the last image: whatever lay there, a product with zero must be zero.
  const int64_t end = s.images * s.Pitch();
  for (int i = 0; i < kEdge; i++) std::memset(to + i * row + end, 0, (row - end) * sizeof(Half));
}

// Sixteen columns of one image's gradient.
WITH_TILES void FillPairs(const Sizes& s, const std::vector<int64_t>& pixels, int64_t block, const Half* g, Half* to) {
  const __mmask16 valid = Valid(s.filters, block);
  for (size_t at = 0; at < pixels.size(); at += 2) {
    __m512i both[2];
    for (int i = 0; i < 2; i++)
      both[i] = pixels[at + i] < 0 ? _mm512_setzero_si512()
                                   : _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(
                                         valid, g + pixels[at + i] * s.filters + block * kEdge));
    _mm512_storeu_si512(to + at * kEdge, _mm512_or_si512(both[0], _mm512_slli_epi32(both[1], 16)));
  }
}

// Adds to M by N tiles of the result, for one tap, the sum over `count` chunks of pixels from chunk `first` on.
template <int M, int N>
WITH_TILES void Multiply(const Sizes& s, const Half* left, const Half* right, int64_t first, int64_t count, float* out) {
  constexpr int kLine = N * kEdge * sizeof(float);
  const int64_t row = s.Row() * sizeof(Half), next_right = s.images * s.Chunks() * kTileBytes;
  char* const c = reinterpret_cast<char*>(out);  // [M, 16, N, 16]
  _tile_loadd(0, c, kLine);
  if (N > 1) _tile_loadd(1, c + 64, kLine);
  if (M > 1) _tile_loadd(2, c + kEdge * kLine, kLine);
  if (M > 1 && N > 1) _tile_loadd(3, c + kEdge * kLine + 64, kLine);
  const char* b = reinterpret_cast<const char*>(right) + first * kTileBytes;
  int64_t n = first / s.Chunks(), chunk = first % s.Chunks();
  for (const char* const end = b + count * kTileBytes; b != end; b += kTileBytes) {
    const char* const a = reinterpret_cast<const char*>(left + n * s.Pitch() + chunk * kPixels);
    _tile_loadd(4, a, row);
    _tile_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (N > 1) _tile_loadd(7, b + next_right, 64);
    if (N > 1) _tile_dpbf16ps(1, 4, 7);
    if (M > 1) _tile_loadd(5, a + kEdge * row, row);
    if (M > 1) _tile_dpbf16ps(2, 5, 6);
    if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
    if (++chunk == s.Chunks()) chunk = 0, n++;
  }
  _tile_stored(0, c, kLine);
  if (N > 1) _tile_stored(1, c + 64, kLine);
  if (M > 1) _tile_stored(2, c + kEdge * kLine, kLine);
  if (M > 1 && N > 1) _tile_stored(3, c + kEdge * kLine + 64, kLine);
}

// A column of the result is two blocks of filters under one row of the filter. Its sums: [channel blocks of two, taps, 32, 32].
constexpr int64_t kPair = 4 * kEdge * kEdge;
int64_t SumsOf(const Sizes& s) { return Blocks(s.ChannelBlocks(), 2) * s.kernel[1] * kPair; }

// How columns, and the chunks of pixels that are summed for each, are shared.
Division Share(const Sizes& s) {
  constexpr int64_t kSums = 1 << 18;
  return Division(s.Columns(), std::max<int64_t>(1, kSums / SumsOf(s)), s.images * s.Chunks());
}

// Adds the gradient of M by N tiles of channels and filters from blocks `c` and `k` on, for one row of the filter, over the
// chunks from `first` to `end`. Goes over them in runs that the nearest cache holds, so that each is fetched once for all taps.
template <int M, int N>
WITH_TILES void SumRuns(const Sizes& s, const Half* left, const Half* right, int64_t c, int64_t k, int64_t ky, int64_t first,
                        int64_t end, float* sums) {
  constexpr int64_t kRun = 8;
  for (; first < end; first += kRun)
    for (int64_t kx = 0; kx < s.kernel[1]; kx++) {
      const int64_t plane = ky % s.strides[0] * s.strides[1] + kx % s.strides[1];
      const int64_t offset = ky / s.strides[0] * s.PlaneWidth() + kx / s.strides[1];
      const Half* a = left + (plane * s.ChannelBlocks() + c) * kEdge * s.Row() + offset;
      const Half* b = right + k * s.images * s.Chunks() * kTileBytes / 2;
      Multiply<M, N>(s, a, b, first, std::min(kRun, end - first), sums + kx * kPair);
    }
}

// The sums of `count` columns from `column` on, over the chunks from `first` to `end`: strip by strip, which the cache holds too.
WITH_TILES void SumColumns(const Sizes& s, const Half* left, const Half* right, int64_t column, int64_t count, int64_t first,
                           int64_t end, float* sums) {
  constexpr int64_t kStrip = 1 << 20;  // bytes of both matrices
  const int64_t strip = std::max<int64_t>(8, kStrip / ((s.ChannelBlocks() + s.FilterBlocks()) * kTileBytes));
  ConfigureTiles();
  for (; first < end; first += strip)
    for (int64_t i = 0; i < count; i++)
      for (int64_t c = 0; c < s.ChannelBlocks(); c += 2) {
        const int64_t k = (column + i) % s.FilterPairs() * 2, ky = (column + i) / s.FilterPairs();
        const bool two_down = c + 1 < s.ChannelBlocks(), two_across = k + 1 < s.FilterBlocks();
        float* const to = sums + i * SumsOf(s) + c / 2 * s.kernel[1] * kPair;
        (two_down ? two_across ? SumRuns<2, 2> : SumRuns<2, 1>
                  : two_across ? SumRuns<1, 2> : SumRuns<1, 1>)(s, left, right, c, k, ky, first, std::min(end, first + strip), to);
      }
  _tile_release();
}

// One column of the result, from the sums of all parts.
void WriteColumn(const Sizes& s, int64_t column, const std::vector<const float*>& parts, float* out) {
  const int64_t k = column % s.FilterPairs() * 2, ky = column / s.FilterPairs();
  const int64_t line = (k + 1 < s.FilterBlocks() ? 2 : 1) * kEdge, width = std::min(line, s.filters - k * kEdge);
  for (int64_t c = 0; c < s.channels; c++)
    for (int64_t kx = 0; kx < s.kernel[1]; kx++) {
      const int64_t at = (c / (2 * kEdge) * s.kernel[1] + kx) * kPair + c % (2 * kEdge) * line;
      float* const to = out + ((ky * s.kernel[1] + kx) * s.channels + c) * s.filters + k * kEdge;
      std::copy_n(parts[0] + at, width, to);
      for (size_t part = 1; part < parts.size(); part++)
        for (int64_t i = 0; i < width; i++) to[i] += parts[part][at + i];
    }
}

void FilterGradient(const Sizes& s, const Half* x, const Half* g, Half* left, Half* right, float* out) {
  std::vector<std::vector<Place>> planes;
  for (int64_t plane = 0; plane < s.Planes(); plane++) planes.push_back(PlanePixels(s, plane));
  const auto pixels = GradientPixels(s);
  const int64_t fills = s.Planes() * s.ChannelBlocks();
  ForEach(fills + s.FilterBlocks() * s.images, [&](int64_t i) {
    if (i < fills) {
      const int64_t plane = i / s.ChannelBlocks(), block = i % s.ChannelBlocks();
      return FillPlane(s, planes[plane], block, x, left + i * kEdge * s.Row());
    }
    const int64_t block = (i - fills) / s.images, n = (i - fills) % s.images;
    FillPairs(s, pixels, block, g + n * s.out_height * s.out_width * s.filters,
              right + (i - fills) * s.Chunks() * kTileBytes / 2);
  });
  const Division shares = Share(s);
  const int64_t columns = s.Columns(), chunks = s.images * s.Chunks();
  std::vector<std::vector<float>> sums(shares.groups * shares.parts);
  ForEach(shares.groups * shares.parts, [&](int64_t i) {
    const int64_t column = i / shares.parts * shares.units, first = i % shares.parts * shares.rows;
    const int64_t count = std::min(shares.units, columns - column);
    sums[i].resize(count * SumsOf(s));
    SumColumns(s, left, right, column, count, first, std::min(first + shares.rows, chunks), sums[i].data());
  });
  ForEach(columns, [&](int64_t column) {
    std::vector<const float*> parts;
    for (int64_t part = 0; part < shares.parts; part++)
      parts.push_back(sums[column / shares.units * shares.parts + part].data() + column % shares.units * SumsOf(s));
    WriteColumn(s, column, parts, out);
  });
}

struct Attributes {
  int32_t kernel[2], strides[2], padding[2];
};

void* CreateFilterGradient(TF_OpKernelConstruction* construction) {
  auto attributes = std::make_unique<Attributes>();
  Status status;
  const auto read = [&](const char* name, int32_t* to) {
    if (status.ok()) TF_OpKernelConstruction_GetAttrInt32List(construction, name, to, 2, status.get());
  };
  read("kernel", attributes->kernel);
  read("strides", attributes->strides);
  read("padding", attributes->padding);
  if (!status.ok()) TF_OpKernelConstruction_Failure(construction, status.get());
  return attributes.release();
}

void ComputeFilterGradient(void* state, TF_OpKernelContext* context, Status& status) {
  const auto& attributes = *static_cast<Attributes*>(state);
  const Tensor x = Tensor::Input(context, 0, status), g = Tensor::Input(context, 1, status);
  const Shape in = x.shape(), back = g.shape();
  if (!status.ok()) return;
  if (in.size() != 4 || back.size() != 4 || in[0] != back[0])
    return status.Refuse("x and g must be [N, H, W, C] and [N, OH, OW, K].");
  Sizes s;
  s.images = in[0], s.height = in[1], s.width = in[2], s.channels = in[3];
  s.out_height = back[1], s.out_width = back[2], s.filters = back[3];
  std::copy_n(attributes.kernel, 2, s.kernel);
  std::copy_n(attributes.strides, 2, s.strides);
  std::copy_n(attributes.padding, 2, s.padding);
  const Tensor out =
      Tensor::Output(context, TF_FLOAT, {s.kernel[0], s.kernel[1], s.channels, s.filters}, status);
  if (status.ok() && g.size() == 0) return std::fill_n(out.as<float>(), out.size(), 0.0f), void();
  s = s.Together();
  const Tensor left = Tensor::Scratch(context, TF_BFLOAT16, s.Left(), status);
  const Tensor right = Tensor::Scratch(context, TF_BFLOAT16, s.Right(), status);
  if (!status.ok()) return;
  FilterGradient(s, x.as<Half>(), g.as<Half>(), left.as<Half>(), right.as<Half>(), out.as<float>());
}

}  // namespace

std::vector<gyre::Kernel> FilterGradientKernels() {
  return {{"GyreFilterGradient",
           {"x: bfloat16", "g: bfloat16"},
           {"gradient: float"},
           &Reporting<&ComputeFilterGradient>,
           &TF_ShapeInferenceContextSetUnknownShape,
           {"kernel: list(int)", "strides: list(int)", "padding: list(int)"},
           &CreateFilterGradient,
           [](void* state) { delete static_cast<Attributes*>(state); }}};
}

#endif
