// Group normalisation (Wu and He, arXiv 1803.08494) with what follows it, and its gradient; composed of TensorFlow's own
// operations each takes some twenty passes over the images, and keeps what lies between for the way back.
//
//   GyreGroupNorm(x, scale, shift; groups, epsilon, silu) → y, statistics
//     x̂ = (x − mean) · inverse, inverse = 1/√(variance + ε), over the positions and channels of a group; u = scale · x̂ + shift
//     y = u, or with `silu` u · σ(u)
//   GyreGroupNormBack(g, x, scale, shift, statistics; groups, epsilon, silu) → gradients of x, scale and shift
//     d = g, or with `silu` g · σ(u) · (1 + u · (1 − σ(u)));
//     ∇x = inverse · (scale · d − mean(scale · d) − x̂ · mean(scale · d · x̂)), ∇scale = Σ d · x̂, ∇shift = Σ d
//     x, g, y, ∇x [N, P, C], each in float32 or bfloat16; scale, shift [C]; statistics [N, 2, C]: mean and inverse of each channel's
//     group. Everything is computed in float32, sums over more than some hundred numbers in double precision.
#include "gyre_kernel.hpp"

#ifndef GYRE_WIDE
std::vector<gyre::Kernel> GroupNormKernels() { return {}; }
#else

#include <algorithm>
#include <cmath>
#include <limits>

#include "gyre_wide.hpp"

namespace {

using namespace gyre;

constexpr int64_t kRows = 256;  // positions that are read together, whose sums are float32

WIDE_INLINE __m512 Load(__mmask16 valid, const float* at) { return _mm512_maskz_loadu_ps(valid, at); }
WIDE_INLINE __m512 Load(__mmask16 valid, const Half* at) {
  // Nothing behind the last number may be read.
  Half some[kLanes] = {};
  const bool whole = valid == 0xffff;
  if (!whole) std::copy_n(at, __builtin_popcount(valid), some);
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(whole ? at : some));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
WIDE_INLINE void Store(__mmask16 valid, float* at, __m512 x) { _mm512_mask_storeu_ps(at, valid, x); }
// To the nearest, and of two as near to the even one; what is no number stays none.
WIDE_INLINE void Store(__mmask16 valid, Half* at, __m512 x) {
  const __m512i bits = _mm512_castps_si512(x), one = _mm512_set1_epi32(1);
  const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
  const __mmask16 none = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i kept = _mm512_mask_mov_epi32(rounded, none, _mm512_set1_epi32(0x7fc00000));
  _mm512_mask_cvtepi32_storeu_epi16(at, valid, _mm512_srli_epi32(kept, 16));
}

// eˣ to float32's precision, of x between −87 and 88 or else of the nearer one.
WIDE_INLINE __m512 Exponential(__m512 x) {
  // In this order what is no number stays none.
  x = _mm512_max_ps(_mm512_set1_ps(-87.0f), _mm512_min_ps(_mm512_set1_ps(88.0f), x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  // ln 2 in two parts, so that the rest is exact.
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  // eʳ for |r| ≤ ½ ln 2: Taylor's terms up to r⁷/7!.
  constexpr float kTerms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  __m512 sum = _mm512_set1_ps(1.0f / 5040);
#pragma GCC unroll 8
  for (int i = 0; i < 7; i++) sum = _mm512_fmadd_ps(sum, r, _mm512_set1_ps(kTerms[i]));
  return _mm512_scalef_ps(sum, n);
}

WIDE_INLINE __m512 Sigmoid(__m512 u) {
  const __m512 one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(one, _mm512_add_ps(one, Exponential(_mm512_sub_ps(_mm512_setzero_ps(), u))));
}

struct Sizes {
  int64_t images, positions, channels, groups;
  float epsilon;
  bool silu;

  int64_t Chunks() const { return Blocks(positions, kRows); }
  int64_t Rows(int64_t chunk) const { return std::min(kRows, positions - chunk * kRows); }
};

// Mean and sum of squared distances from it, of each channel over some rows.
template <typename X>
WIDE void ChunkStatistics(const X* x, int64_t rows, int64_t channels, float* mean, float* squares) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    const __mmask16 valid = Valid(channels - c);
    __m512 sum = _mm512_setzero_ps(), squared = _mm512_setzero_ps();
    for (int64_t row = 0; row < rows; row++) sum = _mm512_add_ps(sum, Load(valid, x + row * channels + c));
    const __m512 count = _mm512_set1_ps(static_cast<float>(rows)), middle = _mm512_div_ps(sum, count);
    // What the first sum was rounded by is in the second one.
    __m512 rest = _mm512_setzero_ps();
    for (int64_t row = 0; row < rows; row++) {
      const __m512 away = _mm512_sub_ps(Load(valid, x + row * channels + c), middle);
      rest = _mm512_add_ps(rest, away);
      squared = _mm512_fmadd_ps(away, away, squared);
    }
    const __m512 correction = _mm512_div_ps(rest, count);
    Store(valid, mean + c, _mm512_add_ps(middle, correction));
    Store(valid, squares + c, _mm512_fnmadd_ps(rest, correction, squared));
  }
}

// Mean and inverse of each group of one image, from those of its chunks' channels [chunks, 2, C], to each channel [2, C].
void MergeStatistics(const Sizes& s, const float* chunks, float* statistics) {
  const int64_t each = s.channels / s.groups;
  for (int64_t group = 0; group < s.groups; group++) {
    const double count = static_cast<double>(s.positions) * each;
    double mean = 0, variance = 0;
    const auto add = [&](double& to, auto part) {
      for (int64_t chunk = 0; chunk < s.Chunks(); chunk++)
        for (int64_t c = group * each; c < (group + 1) * each; c++) {
          const float* const of = chunks + chunk * 2 * s.channels + c;
          to += part(static_cast<double>(s.Rows(chunk)), of[0], of[s.channels]) / count;
        }
    };
    add(mean, [](double rows, float own, float) { return rows * own; });
    add(variance, [&](double rows, float own, float squares) { return squares + rows * (own - mean) * (own - mean); });
    // One over infinity would be a number, and a step that went wrong would pass as sound.
    const double inverse =
        std::isfinite(variance) ? 1 / std::sqrt(variance + s.epsilon) : std::numeric_limits<double>::quiet_NaN();
    for (int64_t c = group * each; c < (group + 1) * each; c++) {
      statistics[c] = static_cast<float>(mean);
      statistics[s.channels + c] = static_cast<float>(inverse);
    }
  }
}

// What one image's channels are made of.
struct Channels {
  const float *mean, *inverse, *scale, *shift;
};

template <typename X, typename Y>
WIDE void Normalise(const Sizes& s, const Channels& of, const X* x, int64_t rows, Y* y) {
  for (int64_t c = 0; c < s.channels; c += kLanes) {
    const __mmask16 valid = Valid(s.channels - c);
    const __m512 mean = Load(valid, of.mean + c), shift = Load(valid, of.shift + c);
    const __m512 factor = _mm512_mul_ps(Load(valid, of.inverse + c), Load(valid, of.scale + c));
    for (int64_t row = 0; row < rows; row++) {
      const __m512 u = _mm512_fmadd_ps(_mm512_sub_ps(Load(valid, x + row * s.channels + c), mean), factor, shift);
      Store(valid, y + row * s.channels + c, s.silu ? _mm512_mul_ps(u, Sigmoid(u)) : u);
    }
  }
}

// Of 16 channels: x̂, and d from g.
struct Slope {
  __m512 mean, inverse, scale, shift;
  bool silu;

  WIDE_INLINE Slope(const Sizes& s, const Channels& of, int64_t c, __mmask16 valid)
      : mean(Load(valid, of.mean + c)),
        inverse(Load(valid, of.inverse + c)),
        scale(Load(valid, of.scale + c)),
        shift(Load(valid, of.shift + c)),
        silu(s.silu) {}
  WIDE_INLINE __m512 Normal(__m512 x) const { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inverse); }
  WIDE_INLINE __m512 Behind(__m512 g, __m512 normal) const {
    if (!silu) return g;
    const __m512 one = _mm512_set1_ps(1.0f), u = _mm512_fmadd_ps(normal, scale, shift), sigmoid = Sigmoid(u);
    return _mm512_mul_ps(_mm512_mul_ps(g, sigmoid), _mm512_fmadd_ps(u, _mm512_sub_ps(one, sigmoid), one));
  }
};

// Σ d and Σ d · x̂ of each channel over some rows.
template <typename G, typename X>
WIDE void ChunkSums(const Sizes& s, const Channels& of, const G* g, const X* x, int64_t rows, float* sum, float* along) {
  for (int64_t c = 0; c < s.channels; c += kLanes) {
    const __mmask16 valid = Valid(s.channels - c);
    const Slope slope(s, of, c, valid);
    __m512 plain = _mm512_setzero_ps(), times = _mm512_setzero_ps();
    for (int64_t row = 0; row < rows; row++) {
      const __m512 normal = slope.Normal(Load(valid, x + row * s.channels + c));
      const __m512 d = slope.Behind(Load(valid, g + row * s.channels + c), normal);
      plain = _mm512_add_ps(plain, d);
      times = _mm512_fmadd_ps(d, normal, times);
    }
    Store(valid, sum + c, plain);
    Store(valid, along + c, times);
  }
}

// Means over a group of scale · d and of scale · d · x̂, for each channel.
struct Means {
  const float *plain, *along;
};

template <typename G, typename X, typename Y>
WIDE void GoBack(const Sizes& s, const Channels& of, const Means& means, const G* g, const X* x, int64_t rows, Y* dx) {
  for (int64_t c = 0; c < s.channels; c += kLanes) {
    const __mmask16 valid = Valid(s.channels - c);
    const Slope slope(s, of, c, valid);
    const __m512 plain = Load(valid, means.plain + c), along = Load(valid, means.along + c);
    for (int64_t row = 0; row < rows; row++) {
      const __m512 normal = slope.Normal(Load(valid, x + row * s.channels + c));
      const __m512 d = slope.Behind(Load(valid, g + row * s.channels + c), normal);
      const __m512 direct = _mm512_fmsub_ps(slope.scale, d, plain);
      Store(valid, dx + row * s.channels + c, _mm512_mul_ps(slope.inverse, _mm512_fnmadd_ps(normal, along, direct)));
    }
  }
}

// Calls work(image, chunk, where it begins, its rows) for all, on all processors.
template <typename Work>
void ForChunks(const Sizes& s, const Work& work) {
  ForEach(s.images * s.Chunks(), [&](int64_t i) {
    const int64_t image = i / s.Chunks(), chunk = i % s.Chunks();
    work(image, chunk, (image * s.positions + chunk * kRows) * s.channels, s.Rows(chunk));
  });
}

Channels ChannelsOf(const Sizes& s, int64_t image, const float* scale, const float* shift, const float* statistics) {
  const float* const mean = statistics + image * 2 * s.channels;
  return {mean, mean + s.channels, scale, shift};
}

template <typename X, typename Y>
void Forward(const Sizes& s, const X* x, const float* scale, const float* shift, float* chunks, float* statistics, Y* y) {
  const int64_t pair = 2 * s.channels;
  ForChunks(s, [&](int64_t image, int64_t chunk, int64_t at, int64_t rows) {
    float* const to = chunks + (image * s.Chunks() + chunk) * pair;
    ChunkStatistics(x + at, rows, s.channels, to, to + s.channels);
  });
  for (int64_t image = 0; image < s.images; image++)
    MergeStatistics(s, chunks + image * s.Chunks() * pair, statistics + image * pair);
  ForChunks(s, [&](int64_t image, int64_t, int64_t at, int64_t rows) {
    Normalise(s, ChannelsOf(s, image, scale, shift, statistics), x + at, rows, y + at);
  });
}

// What the sums of all chunks [N, chunks, 2, C] make: the gradients of scale and shift, and an image's means [N, 2, C].
void MergeSums(const Sizes& s, const float* chunks, const float* scale, float* means, float* dscale, float* dshift) {
  const int64_t each = s.channels / s.groups, pair = 2 * s.channels;
  std::vector<double> total(pair), own(pair);
  for (int64_t image = 0; image < s.images; image++, means += pair) {
    std::fill(own.begin(), own.end(), 0.0);
    for (int64_t chunk = 0; chunk < s.Chunks(); chunk++, chunks += pair)
      for (int64_t c = 0; c < pair; c++) own[c] += chunks[c];
    for (int64_t c = 0; c < pair; c++) total[c] += own[c];
    for (int64_t first = 0; first < pair; first += each) {
      double sum = 0;
      for (int64_t c = first; c < first + each; c++) sum += own[c] * scale[c % s.channels];
      std::fill_n(means + first, each, static_cast<float>(sum / (static_cast<double>(s.positions) * each)));
    }
  }
  for (int64_t c = 0; c < s.channels; c++) {
    dshift[c] = static_cast<float>(total[c]);
    dscale[c] = static_cast<float>(total[s.channels + c]);
  }
}

// What the way back reads besides images, works in and makes.
struct Back {
  const float *scale, *shift, *statistics;
  float *chunks, *means, *dscale, *dshift;
};

template <typename G, typename X, typename Y>
void Backward(const Sizes& s, const Back& of, const G* g, const X* x, Y* dx) {
  const int64_t pair = 2 * s.channels;
  ForChunks(s, [&](int64_t image, int64_t chunk, int64_t at, int64_t rows) {
    float* const to = of.chunks + (image * s.Chunks() + chunk) * pair;
    ChunkSums(s, ChannelsOf(s, image, of.scale, of.shift, of.statistics), g + at, x + at, rows, to, to + s.channels);
  });
  MergeSums(s, of.chunks, of.scale, of.means, of.dscale, of.dshift);
  ForChunks(s, [&](int64_t image, int64_t, int64_t at, int64_t rows) {
    const Means means = {of.means + image * pair, of.means + image * pair + s.channels};
    GoBack(s, ChannelsOf(s, image, of.scale, of.shift, of.statistics), means, g + at, x + at, rows, dx + at);
  });
}

struct Options {
  int64_t groups = 1;
  float epsilon = 0;
  bool silu = false;
  TF_DataType out = TF_FLOAT;
};

void* CreateOptions(TF_OpKernelConstruction* construction) {
  auto options = std::make_unique<Options>();
  Status status;
  TF_Bool silu = 0;
  TF_OpKernelConstruction_GetAttrInt64(construction, "groups", &options->groups, status.get());
  if (status.ok()) TF_OpKernelConstruction_GetAttrFloat(construction, "epsilon", &options->epsilon, status.get());
  if (status.ok()) TF_OpKernelConstruction_GetAttrBool(construction, "silu", &silu, status.get());
  if (status.ok()) TF_OpKernelConstruction_GetAttrType(construction, "Ty", &options->out, status.get());
  if (status.ok() && options->groups < 1) status.Refuse("There must be a group.");
  if (!status.ok()) TF_OpKernelConstruction_Failure(construction, status.get());
  options->silu = silu != 0;
  return options.release();
}

Sizes SizesOf(const Options& options, const Shape& x, const Tensor& scale, const Tensor& shift, Status& status) {
  if (x.size() != 3 || scale.size() != x[2] || shift.size() != x[2] || x[2] % options.groups != 0) {
    status.Refuse("x must be [N, P, C] with whole groups of channels, scale and shift [C].");
    return {};
  }
  return {x[0], x[1], x[2], options.groups, options.epsilon, options.silu};
}

// Calls work with a pointer to what the tensor holds.
template <typename Work>
void With(const Tensor& tensor, const Work& work) {
  if (tensor.type() == TF_FLOAT) work(tensor.as<float>());
  else work(tensor.as<Half>());
}

void ComputeForward(void* state, TF_OpKernelContext* context, Status& status) {
  const auto& options = *static_cast<Options*>(state);
  const Tensor x = Tensor::Input(context, 0, status), scale = Tensor::Input(context, 1, status);
  const Tensor shift = Tensor::Input(context, 2, status);
  if (!status.ok()) return;
  const Sizes s = SizesOf(options, x.shape(), scale, shift, status);
  const Tensor y = Tensor::Output(context, options.out, x.shape(), status);
  const Tensor statistics = Tensor::Output(context, TF_FLOAT, {s.images, 2, s.channels}, status, {}, 1);
  const Tensor chunks = Tensor::Scratch(context, TF_FLOAT, s.images * s.Chunks() * 2 * s.channels, status);
  if (!status.ok()) return;
  With(x, [&](const auto* from) {
    With(y, [&](auto* to) {
      Forward(s, from, scale.as<float>(), shift.as<float>(), chunks.as<float>(), statistics.as<float>(), to);
    });
  });
}

void ComputeBackward(void* state, TF_OpKernelContext* context, Status& status) {
  const auto& options = *static_cast<Options*>(state);
  const Tensor g = Tensor::Input(context, 0, status), x = Tensor::Input(context, 1, status);
  const Tensor scale = Tensor::Input(context, 2, status), shift = Tensor::Input(context, 3, status);
  const Tensor statistics = Tensor::Input(context, 4, status);
  if (!status.ok()) return;
  const Sizes s = SizesOf(options, x.shape(), scale, shift, status);
  if (status.ok() && (g.shape() != x.shape() || statistics.shape() != Shape{s.images, 2, s.channels}))
    status.Refuse("g must have the shape of x, and statistics [N, 2, C].");
  const Tensor dx = Tensor::Output(context, options.out, x.shape(), status);
  const Tensor dscale = Tensor::Output(context, TF_FLOAT, {s.channels}, status, {}, 1);
  const Tensor dshift = Tensor::Output(context, TF_FLOAT, {s.channels}, status, {}, 2);
  const int64_t pairs = s.images * 2 * s.channels;
  const Tensor chunks = Tensor::Scratch(context, TF_FLOAT, s.Chunks() * pairs, status);
  const Tensor means = Tensor::Scratch(context, TF_FLOAT, pairs, status);
  if (!status.ok()) return;
  const Back of = {scale.as<float>(),  shift.as<float>(),  statistics.as<float>(), chunks.as<float>(),
                   means.as<float>(), dscale.as<float>(), dshift.as<float>()};
  With(g, [&](const auto* gradient) {
    With(x, [&](const auto* from) { With(dx, [&](auto* to) { Backward(s, of, gradient, from, to); }); });
  });
}

// Input `from` as output `to`.
void Pass(TF_ShapeInferenceContext* context, int from, int to, TF_Status* status) {
  TF_ShapeHandle* shape = TF_NewShapeHandle();
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextGetInput(context, from, shape, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSetOutput(context, to, shape, status);
  TF_DeleteShapeHandle(shape);
}

void ForwardShapes(TF_ShapeInferenceContext* context, TF_Status* status) {
  Pass(context, 0, 0, status);
  TF_ShapeHandle *x = TF_NewShapeHandle(), *channels = TF_NewShapeHandle();
  TF_ShapeHandle* const two = TF_ShapeInferenceContextVectorFromSize(context, 2);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextGetInput(context, 0, x, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSubshape(context, x, 2, 3, channels, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSubshape(context, x, 0, 1, x, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextConcatenateShapes(context, x, two, x, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextConcatenateShapes(context, x, channels, x, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSetOutput(context, 1, x, status);
  for (TF_ShapeHandle* shape : {x, channels, two}) TF_DeleteShapeHandle(shape);
}

void BackwardShapes(TF_ShapeInferenceContext* context, TF_Status* status) {
  Pass(context, 1, 0, status);
  Pass(context, 2, 1, status);
  Pass(context, 3, 2, status);
}

}  // namespace

std::vector<gyre::Kernel> GroupNormKernels() {
  const auto kernel = [](const char* name, std::vector<const char*> inputs, std::vector<const char*> outputs, auto compute,
                         auto shapes) {
    std::vector<const char*> attributes = {"Tx: {float, bfloat16}", "Ty: {float, bfloat16}", "groups: int", "epsilon: float",
                                           "silu: bool"};
    if (inputs.size() > 3) attributes.push_back("Tg: {float, bfloat16}");
    return Kernel{name, inputs, outputs, compute, shapes, attributes, &CreateOptions,
                  [](void* state) { delete static_cast<Options*>(state); }};
  };
  const char *x = "x: Tx", *scale = "scale: float", *shift = "shift: float", *statistics = "statistics: float";
  return {kernel("GyreGroupNorm", {x, scale, shift}, {"y: Ty", statistics}, &Reporting<&ComputeForward>, &ForwardShapes),
          kernel("GyreGroupNormBack", {"g: Tg", x, scale, shift, statistics},
                 {"dx: Ty", "dscale: float", "dshift: float"}, &Reporting<&ComputeBackward>, &BackwardShapes)};
}

#endif
