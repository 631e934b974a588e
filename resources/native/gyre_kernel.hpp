// What our own TensorFlow operations share: tensors and failures of a kernel, its registration, and loops on all processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

// Matrix tiles (AMX) and wide vectors with bfloat16: where this is not defined, the compiler cannot make them.
#if defined(__x86_64__) && defined(__linux__)
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define GYRE_TILES
#endif
#endif

// Vectors of 512 bits (AVX-512); see gyre_wide.hpp.
#if defined(__x86_64__) && defined(__linux__)
#define GYRE_WIDE
#endif

namespace gyre {

typedef uint16_t Half;  // the bits of a bfloat16

class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  TF_Status* get() const { return status_; }
  bool ok() const { return TF_GetCode(status_) == TF_OK; }
  void Refuse(const char* why) { TF_SetStatus(status_, TF_INVALID_ARGUMENT, why); }

 private:
  TF_Status* status_;
};

typedef std::vector<int64_t> Shape;

// A tensor of a kernel, or none where the status is not ok.
class Tensor {
 public:
  static Tensor Input(TF_OpKernelContext* context, int index, const Status& status);
  // In the memory of one of `reuse` where nobody else needs it.
  static Tensor Output(TF_OpKernelContext* context, TF_DataType type, const Shape& shape, const Status& status,
                       std::vector<int> reuse = {}, int index = 0);
  static Tensor Scratch(TF_OpKernelContext* context, TF_DataType type, int64_t size, const Status& status);

  Shape shape() const;
  TF_DataType type() const { return TF_TensorType(tensor_.get()); }
  int64_t size() const { return TF_TensorElementCount(tensor_.get()); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(TF_TensorData(tensor_.get()));
  }

 private:
  explicit Tensor(TF_Tensor* tensor) : tensor_(tensor, &Delete) {}
  static void Delete(TF_Tensor* tensor) {
    if (tensor != nullptr) TF_DeleteTensor(tensor);
  }
  std::unique_ptr<TF_Tensor, void (*)(TF_Tensor*)> tensor_;
};

struct Kernel {
  const char* name;
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
  void (*compute)(void* state, TF_OpKernelContext* context);
  // A recording must know the results' shapes, and TensorFlow's optimiser asks for them.
  void (*shape)(TF_ShapeInferenceContext*, TF_Status*) = &TF_ShapeInferenceContextSetUnknownShape;
  std::vector<const char*> attributes = {};
  void* (*create)(TF_OpKernelConstruction*) = [](TF_OpKernelConstruction*) -> void* { return nullptr; };
  void (*destroy)(void*) = [](void*) {};
};

// The result has the first input's shape.
void KeepShape(TF_ShapeInferenceContext* context, TF_Status* status);

// A kernel that fails by its status.
template <void (*Compute)(void* state, TF_OpKernelContext* context, Status& status)>
void Reporting(void* state, TF_OpKernelContext* context) {
  Status status;
  try {
    Compute(state, context, status);
  } catch (const std::bad_alloc&) {
    // In TensorFlow's words, which are known as such.
    TF_SetStatus(status.get(), TF_RESOURCE_EXHAUSTED, "failed to allocate memory");
  } catch (const std::exception& error) {
    TF_SetStatus(status.get(), TF_INTERNAL, error.what());
  }
  if (!status.ok()) TF_OpKernelContext_Failure(context, status.get());
}

// An empty text where all went well. Only once a process.
std::string Register(const std::vector<Kernel>& kernels);

// Calls work(0) … work(count − 1) on all processors, and returns when all are done; throws what one of them has thrown. `count`
// of 1 stays in this thread.
void ForEach(int64_t count, const std::function<void(int64_t)>& work);

// Calls work(first, count) for parts of `size`, on all processors.
void InParts(int64_t size, int64_t part, const std::function<void(int64_t, int64_t)>& work);

// How many processors ForEach uses.
int Processors();

// How results that are sums over rows are shared out: groups of `units` results, up to `most`, whose sums stay in the cache, and
// parts of `rows`, at least `least`, so that there is something for every processor.
struct Division {
  int64_t units, groups, rows, parts;

  Division(int64_t all_units, int64_t most, int64_t all_rows, int64_t least = 1);
};

// Whether this processor and this system have what GYRE_TILES and GYRE_WIDE stand for.
bool HasTiles();
bool HasWide();

inline int64_t Blocks(int64_t size, int64_t block) { return (size + block - 1) / block; }

}  // namespace gyre
