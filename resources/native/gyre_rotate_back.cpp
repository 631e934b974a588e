// The rotation trick's way back (arXiv 2410.06424, A.5) as one TensorFlow operation for the processor, in one pass over the
// rows; composed of TensorFlow's own operations it takes some twenty. The same formula, with what happens near zero, stands
// in `src-shared/quantize/rotation.ts`.
//
//   GyreRotateBack(e, q, g, gamma) → γ[g − 2r(rᵀg) + 2ê(q̂ᵀg)], r = (ê+q̂)/‖ê+q̂‖
//   e, q, g, result [N, D]; gamma [N, 1], or [0, 1] for λ = ‖q‖/‖e‖. All float32.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace {

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

struct Inputs {
  TF_Tensor* all[4] = {nullptr, nullptr, nullptr, nullptr};
  ~Inputs() {
    for (TF_Tensor* tensor : all)
      if (tensor != nullptr) TF_DeleteTensor(tensor);
  }
  const float* Values(int i) const { return static_cast<const float*>(TF_TensorData(all[i])); }
};

bool SameRows(const Inputs& inputs) {
  for (int i = 0; i < 3; i++) {
    if (TF_NumDims(inputs.all[i]) != 2) return false;
    for (int d = 0; d < 2; d++)
      if (TF_Dim(inputs.all[i], d) != TF_Dim(inputs.all[0], d)) return false;
  }
  const int64_t scales = TF_TensorElementCount(inputs.all[3]);
  return scales == 0 || scales == TF_Dim(inputs.all[0], 0);
}

void Compute(void*, TF_OpKernelContext* context) {
  TF_Status* status = TF_NewStatus();
  Inputs inputs;
  for (int i = 0; i < 4 && TF_GetCode(status) == TF_OK; i++)
    TF_GetInput(context, i, &inputs.all[i], status);
  if (TF_GetCode(status) == TF_OK && !SameRows(inputs))
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "e, q and g must be rows of one shape, and gamma a number for each or none.");
  if (TF_GetCode(status) == TF_OK) {
    const int64_t shape[2] = {TF_Dim(inputs.all[0], 0), TF_Dim(inputs.all[0], 1)};
    const size_t bytes = static_cast<size_t>(shape[0] * shape[1]) * sizeof(float);
    TF_Tensor* result = TF_AllocateOutput(context, 0, TF_FLOAT, shape, 2, bytes, status);
    if (TF_GetCode(status) == TF_OK) {
      float* out = static_cast<float*>(TF_TensorData(result));
      const bool scaled = TF_TensorElementCount(inputs.all[3]) > 0;
      for (int64_t n = 0; n < shape[0]; n++) {
        const int64_t at = n * shape[1];
        RotateRow(inputs.Values(0) + at, inputs.Values(1) + at, inputs.Values(2) + at,
                  scaled ? inputs.Values(3) + n : nullptr, out + at, shape[1]);
      }
      TF_DeleteTensor(result);
    }
  }
  if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
  TF_DeleteStatus(status);
}

void* Create(TF_OpKernelConstruction*) { return nullptr; }
void Delete(void*) {}

void InferShape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeHandle* shape = TF_NewShapeHandle();
  TF_ShapeInferenceContextGetInput(context, 0, shape, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSetOutput(context, 0, shape, status);
  TF_DeleteShapeHandle(shape);
}

}  // namespace

// Once a process, however many threads load this module. An empty text where all went well.
const std::string& RegisterRotateBack() {
  static std::once_flag once;
  static std::string failure;
  std::call_once(once, [] {
    TF_Status* status = TF_NewStatus();
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("GyreRotateBack");
    for (const char* input : {"e: float", "q: float", "g: float", "gamma: float"})
      TF_OpDefinitionBuilderAddInput(op, input);
    TF_OpDefinitionBuilderAddOutput(op, "rotated: float");
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, &InferShape);
    TF_RegisterOpDefinition(op, status);
    if (TF_GetCode(status) == TF_OK)
      TF_RegisterKernelBuilder("GyreRotateBack",
                               TF_NewKernelBuilder("GyreRotateBack", "CPU", &Create, &Compute, &Delete), status);
    if (TF_GetCode(status) != TF_OK) failure = TF_Message(status);
    TF_DeleteStatus(status);
  });
  return failure;
}
