// The rotation trick's way back (arXiv 2410.06424, A.5) as one TensorFlow operation for the processor, in one pass over the
// rows; composed of TensorFlow's own operations it takes some twenty. The same formula, with what happens near zero, stands
// in `src-shared/quantize/rotation.ts`.
//
//   GyreRotateBack(e, q, g, gamma) → γ[g − 2r(rᵀg) + 2ê(q̂ᵀg)], r = (ê+q̂)/‖ê+q̂‖
//   e, q, g, result [N, D]; gamma [N, 1], or [0, 1] for λ = ‖q‖/‖e‖. All float32.
#include <cmath>
#include <cstring>

#include "gyre_kernel.hpp"

namespace {

using namespace gyre;

// Below this a row counts as zero (`tinyNorm`), and below the other one the rotation is not defined (`tinySum`).
constexpr float kTinyNorm = 1e-6f;
constexpr float kTinySum = 1e-3f;

// Four numbers at a time, on every processor that GCC and Clang know.
typedef float Four __attribute__((vector_size(16)));

inline Four Load(const float* at) {
  Four four;
  std::memcpy(&four, at, sizeof(four));
  return four;
}

inline float Total(Four four) { return (four[0] + four[1]) + (four[2] + four[3]); }

void RotateRow(const float* e, const float* q, const float* g, const float* gamma, float* out, int64_t size) {
  const int64_t whole = size - size % 4;
  Four ee = {}, qq = {};
  for (int64_t d = 0; d < whole; d += 4) {
    const Four x = Load(e + d), y = Load(q + d);
    ee += x * x;
    qq += y * y;
  }
  float e_squared = Total(ee), q_squared = Total(qq);
  for (int64_t d = whole; d < size; d++) {
    e_squared += e[d] * e[d];
    q_squared += q[d] * q[d];
  }
  const float e_norm = std::sqrt(e_squared), q_norm = std::sqrt(q_squared);
  const float e_safe = std::fmax(e_norm, kTinyNorm), q_safe = std::fmax(q_norm, kTinyNorm);
  const float e_unit = 1 / e_safe, q_unit = 1 / q_safe;

  Four ss = {}, sg = {}, qg = {};
  for (int64_t d = 0; d < whole; d += 4) {
    const Four gradient = Load(g + d), code = Load(q + d) * q_unit, sum = Load(e + d) * e_unit + code;
    ss += sum * sum;
    sg += sum * gradient;
    qg += code * gradient;
  }
  float sum_squared = Total(ss), sum_g = Total(sg), code_g = Total(qg);
  for (int64_t d = whole; d < size; d++) {
    const float code = q[d] * q_unit, sum = e[d] * e_unit + code;
    sum_squared += sum * sum;
    sum_g += sum * g[d];
    code_g += code * g[d];
  }

  const bool defined = std::fmin(e_norm, q_norm) > kTinyNorm && sum_squared > kTinySum * kTinySum;
  const float scale = gamma == nullptr ? q_norm / e_safe : *gamma;
  const float along_g = defined ? scale : 1;
  const float twice = defined ? 2 * scale : 0;
  const float along_sum = twice * sum_g / std::fmax(sum_squared, kTinySum * kTinySum);
  // s = ê + q̂, so that −s(along_sum) + ê(2γ q̂ᵀg) needs e and q once each.
  const float along_e = (twice * code_g - along_sum) * e_unit, along_q = along_sum * q_unit;
  for (int64_t d = 0; d < whole; d += 4) {
    const Four row = Load(g + d) * along_g + Load(e + d) * along_e - Load(q + d) * along_q;
    std::memcpy(out + d, &row, sizeof(row));
  }
  for (int64_t d = whole; d < size; d++) out[d] = g[d] * along_g + e[d] * along_e - q[d] * along_q;
}

void Compute(void*, TF_OpKernelContext* context, Status& status) {
  const Tensor e = Tensor::Input(context, 0, status), q = Tensor::Input(context, 1, status);
  const Tensor g = Tensor::Input(context, 2, status), gamma = Tensor::Input(context, 3, status);
  const Shape shape = e.shape();
  const bool same = status.ok() && shape.size() == 2 && q.shape() == shape && g.shape() == shape;
  if (status.ok() && (!same || (gamma.size() != 0 && gamma.size() != shape[0])))
    status.Refuse("e, q and g must be rows of one shape, and gamma a number for each or none.");
  const Tensor result = Tensor::Output(context, TF_FLOAT, shape, status);
  if (!status.ok()) return;
  constexpr int64_t kRows = 512;
  InParts(shape[0], kRows, [&](int64_t first, int64_t count) {
    for (int64_t n = first; n < first + count; n++) {
      const int64_t at = n * shape[1];
      RotateRow(e.as<float>() + at, q.as<float>() + at, g.as<float>() + at,
                gamma.size() > 0 ? gamma.as<float>() + n : nullptr, result.as<float>() + at, shape[1]);
    }
  });
}

}  // namespace

std::vector<gyre::Kernel> RotateBackKernels() {
  return {{"GyreRotateBack",
           {"e: float", "q: float", "g: float", "gamma: float"},
           {"rotated: float"},
           &Reporting<&Compute>,
           &KeepShape}};
}
