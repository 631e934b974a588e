// What lies between convolutions in bfloat16, in one pass each with the processor's widest vectors: TensorFlow's wheels are
// built for processors without instructions for bfloat16, and take every number apart on its own.
//
//   GyreRelu(x), GyreReluGradient(g, y): g where y > 0, GyreAdd(x, y), GyreBiasAdd(x, b [K])
//   GyreBiasGradient(g) → [K] in float32, the sum over all rows of g [..., K]
#include "gyre_kernel.hpp"

#ifndef GYRE_TILES
std::vector<gyre::Kernel> Bfloat16Kernels() { return {}; }
#else

#include <algorithm>
#include <cstring>
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace {

using namespace gyre;

constexpr int64_t kWide = 32;          // numbers in a vector
constexpr int64_t kPart = 1024 * 128;  // numbers that are worth another thread

__mmask32 Valid(int64_t left) { return left >= kWide ? 0xffffffffu : (1u << left) - 1; }

WIDE inline __m512 Low(__m512i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(x)), 16));
}
WIDE inline __m512 High(__m512i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(x, 1)), 16));
}
WIDE inline __m512i Sum(__m512i x, __m512i y) {
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_add_ps(High(x), High(y)), _mm512_add_ps(Low(x), Low(y)));
}

// Bits of a bfloat16 order as integers where it is not negative; what is not a number stays what it is.
WIDE inline __m512i Positive(__m512i x) {
  const __m512i magnitude = _mm512_and_si512(x, _mm512_set1_epi16(0x7fff));
  const __mmask32 none = _mm512_cmpgt_epi16_mask(magnitude, _mm512_set1_epi16(0x7f80));
  return _mm512_mask_mov_epi16(_mm512_max_epi16(x, _mm512_setzero_si512()), none, x);
}
// As a product with 0 or 1: what is infinite or no number stays none.
WIDE inline __m512i Where(__m512i g, __m512i y) {
  const __m512i exponent = _mm512_set1_epi16(0x7f80);
  const __mmask32 kept = _mm512_cmpgt_epi16_mask(y, _mm512_setzero_si512());
  const __mmask32 finite = _mm512_cmpneq_epi16_mask(_mm512_and_si512(g, exponent), exponent);
  return _mm512_mask_mov_epi16(_mm512_maskz_mov_epi16(kept, g), ~(kept | finite), _mm512_set1_epi16(0x7fff));
}

enum class Op { kRelu, kReluGradient, kAdd };

template <Op kOp>
WIDE void Apply(const Half* x, const Half* y, Half* out, int64_t size) {
  for (int64_t i = 0; i < size; i += kWide) {
    const __mmask32 valid = Valid(size - i);
    const __m512i a = _mm512_maskz_loadu_epi16(valid, x + i);
    const __m512i b = kOp == Op::kRelu ? a : _mm512_maskz_loadu_epi16(valid, y + i);
    const __m512i result = kOp == Op::kRelu ? Positive(a) : kOp == Op::kAdd ? Sum(a, b) : Where(a, b);
    _mm512_mask_storeu_epi16(out + i, valid, result);
  }
}

WIDE void BiasAdd(const Half* x, const Half* bias, Half* out, int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns)
    for (int64_t i = 0; i < columns; i += kWide) {
      const __mmask32 valid = Valid(columns - i);
      const __m512i sum = Sum(_mm512_maskz_loadu_epi16(valid, x + i), _mm512_maskz_loadu_epi16(valid, bias + i));
      _mm512_mask_storeu_epi16(out + i, valid, sum);
    }
}

WIDE void BiasGradient(const Half* g, int64_t rows, int64_t columns, float* out) {
  constexpr int64_t kRows = 512;  // summed on their own: the error does not grow with the rows
  std::memset(out, 0, columns * sizeof(float));
  for (int64_t first = 0; first < rows; first += kRows)
    for (int64_t block = 0; block < columns; block += kWide) {
      const __mmask32 valid = Valid(columns - block);
      const Half* at = g + first * columns + block;
      __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
      for (int64_t row = 0; row < std::min(kRows, rows - first); row++, at += columns) {
        const __m512i both = _mm512_maskz_loadu_epi16(valid, at);
        low = _mm512_add_ps(low, Low(both));
        high = _mm512_add_ps(high, High(both));
      }
      const __mmask16 left = static_cast<__mmask16>(valid), right = static_cast<__mmask16>(valid >> 16);
      float* to = out + block;
      _mm512_mask_storeu_ps(to, left, _mm512_add_ps(_mm512_maskz_loadu_ps(left, to), low));
      _mm512_mask_storeu_ps(to + 16, right, _mm512_add_ps(_mm512_maskz_loadu_ps(right, to + 16), high));
    }
}

template <Op kOp>
void ComputeEach(void*, TF_OpKernelContext* context, Status& status) {
  const bool two = kOp != Op::kRelu;
  const Tensor x = Tensor::Input(context, 0, status), y = Tensor::Input(context, two ? 1 : 0, status);
  if (status.ok() && x.shape() != y.shape()) status.Refuse("Both must have one shape.");
  const Tensor out =
      Tensor::Output(context, TF_BFLOAT16, x.shape(), status, two ? std::vector<int>{0, 1} : std::vector<int>{0});
  if (!status.ok()) return;
  const Half *a = x.as<Half>(), *b = y.as<Half>();
  Half* to = out.as<Half>();
  InParts(x.size(), kPart, [&](int64_t at, int64_t size) { Apply<kOp>(a + at, b + at, to + at, size); });
}

void ComputeBiasAdd(void*, TF_OpKernelContext* context, Status& status) {
  const Tensor x = Tensor::Input(context, 0, status), bias = Tensor::Input(context, 1, status);
  if (status.ok() && (x.shape().empty() || x.shape().back() != bias.size()))
    status.Refuse("The bias must have a number for each column.");
  const Tensor out = Tensor::Output(context, TF_BFLOAT16, x.shape(), status, {0});
  if (!status.ok() || x.size() == 0) return;
  const int64_t columns = bias.size(), rows = x.size() / columns;
  InParts(rows, Blocks(kPart, columns), [&](int64_t row, int64_t count) {
    const int64_t at = row * columns;
    BiasAdd(x.as<Half>() + at, bias.as<Half>(), out.as<Half>() + at, count, columns);
  });
}

void ComputeBiasGradient(void*, TF_OpKernelContext* context, Status& status) {
  const Tensor g = Tensor::Input(context, 0, status);
  if (status.ok() && g.shape().empty()) status.Refuse("g must have rows.");
  if (!status.ok()) return;
  const int64_t columns = g.shape().back();
  const Tensor out = Tensor::Output(context, TF_FLOAT, {columns}, status);
  if (status.ok()) BiasGradient(g.as<Half>(), columns == 0 ? 0 : g.size() / columns, columns, out.as<float>());
}

}  // namespace

std::vector<gyre::Kernel> Bfloat16Kernels() {
  const char *x = "x: bfloat16", *y = "y: bfloat16", *g = "g: bfloat16", *out = "out: bfloat16";
  return {{"GyreRelu", {x}, {out}, &Reporting<&ComputeEach<Op::kRelu>>, &KeepShape},
          {"GyreReluGradient", {g, y}, {out}, &Reporting<&ComputeEach<Op::kReluGradient>>, &KeepShape},
          {"GyreAdd", {x, y}, {out}, &Reporting<&ComputeEach<Op::kAdd>>, &KeepShape},
          {"GyreBiasAdd", {x, "bias: bfloat16"}, {out}, &Reporting<&ComputeBiasAdd>, &KeepShape},
          {"GyreBiasGradient", {g}, {"gradient: float"}, &Reporting<&ComputeBiasGradient>}};
}

#endif
