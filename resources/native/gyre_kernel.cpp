// See gyre_kernel.hpp.
#include "gyre_kernel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef __SSE2__
#include <xmmintrin.h>
#endif
#ifdef GYRE_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace gyre {

Tensor Tensor::Input(TF_OpKernelContext* context, int index, const Status& status) {
  TF_Tensor* tensor = nullptr;
  if (status.ok()) TF_GetInput(context, index, &tensor, status.get());
  return Tensor(tensor);
}

Tensor Tensor::Output(TF_OpKernelContext* context, TF_DataType type, const Shape& shape, const Status& status,
                      std::vector<int> reuse, int index) {
  if (!status.ok()) return Tensor(nullptr);
  const int rank = static_cast<int>(shape.size());
  size_t bytes = TF_DataTypeSize(type);
  for (const int64_t size : shape) bytes *= static_cast<size_t>(size);
  int reused = -1;
  return Tensor(reuse.empty() ? TF_AllocateOutput(context, index, type, shape.data(), rank, bytes, status.get())
                              : TF_ForwardInputOrAllocateOutput(context, reuse.data(), static_cast<int>(reuse.size()), index,
                                                                shape.data(), rank, &reused, status.get()));
}

Tensor Tensor::Scratch(TF_OpKernelContext* context, TF_DataType type, int64_t size, const Status& status) {
  if (!status.ok()) return Tensor(nullptr);
  TF_AllocatorAttributes attributes;
  attributes.struct_size = TF_ALLOCATOR_ATTRIBUTES_STRUCT_SIZE;
  attributes.on_host = 1;
  return Tensor(TF_AllocateTemp(context, type, &size, 1, &attributes, status.get()));
}

Shape Tensor::shape() const {
  Shape sizes;
  if (tensor_ != nullptr)
    for (int d = 0; d < TF_NumDims(tensor_.get()); d++) sizes.push_back(TF_Dim(tensor_.get(), d));
  return sizes;
}

void KeepShape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeHandle* shape = TF_NewShapeHandle();
  TF_ShapeInferenceContextGetInput(context, 0, shape, status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSetOutput(context, 0, shape, status);
  TF_DeleteShapeHandle(shape);
}

std::string Register(const std::vector<Kernel>& kernels) {
  Status status;
  for (const Kernel& kernel : kernels) {
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(kernel.name);
    for (const char* input : kernel.inputs) TF_OpDefinitionBuilderAddInput(op, input);
    for (const char* attribute : kernel.attributes) TF_OpDefinitionBuilderAddAttr(op, attribute);
    for (const char* output : kernel.outputs) TF_OpDefinitionBuilderAddOutput(op, output);
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, kernel.shape);
    TF_RegisterOpDefinition(op, status.get());
    if (!status.ok()) return TF_Message(status.get());
    TF_RegisterKernelBuilder(kernel.name,
                             TF_NewKernelBuilder(kernel.name, "CPU", kernel.create, kernel.compute, kernel.destroy),
                             status.get());
    if (!status.ok()) return TF_Message(status.get());
  }
  return "";
}

namespace {

// One loop, taken from by whoever has time.
struct Loop {
  const std::function<void(int64_t)>& work;
  const int64_t count;
  int64_t next = 0;
  int64_t done = 0;
  std::exception_ptr failure = nullptr;
};

int CountProcessors() {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Threads that wait for loops, as many as there are further processors. Never ended: a loop may run until the process does.
class Helpers {
 public:
  Helpers() {
    for (int i = 1; i < Processors(); i++) std::thread([this] { Help(); }).detach();
  }

  void Run(Loop& loop) {
    std::unique_lock<std::mutex> lock(mutex_);
    loops_.push_back(&loop);
    more_.notify_all();
    while (loop.next < loop.count) Take(loop, lock);
    finished_.wait(lock, [&] { return loop.done == loop.count; });
    lock.unlock();
    if (loop.failure != nullptr) std::rethrow_exception(loop.failure);
  }

 private:
  // Works on one round of a loop; the lock is held before and after.
  void Take(Loop& loop, std::unique_lock<std::mutex>& lock) {
    const int64_t i = loop.next++;
    if (loop.next == loop.count) loops_.erase(std::find(loops_.begin(), loops_.end(), &loop));
    lock.unlock();
    std::exception_ptr failure = nullptr;
    try {
      loop.work(i);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure != nullptr) loop.failure = failure;
    if (++loop.done == loop.count) finished_.notify_all();
  }

  void Help() {
#ifdef __SSE2__
    // As in TensorFlow's threads, numbers that are too small to be normal are zero: it must not matter who computes.
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      more_.wait(lock, [&] { return !loops_.empty(); });
      Take(*loops_.front(), lock);
    }
  }

  std::mutex mutex_;
  std::condition_variable more_, finished_;
  std::deque<Loop*> loops_;
};

}  // namespace

int Processors() {
  static const int count = CountProcessors();
  return count;
}

Division::Division(int64_t all_units, int64_t most, int64_t all_rows, int64_t least) {
  units = Blocks(all_units, Blocks(all_units, most));
  groups = Blocks(all_units, units);
  rows = std::max(least, Blocks(all_rows, Blocks(Processors(), groups)));
  parts = Blocks(all_rows, rows);
}

void ForEach(int64_t count, const std::function<void(int64_t)>& work) {
  static Helpers& helpers = *new Helpers;
  if (count == 1) return work(0);
  if (count < 1) return;
  Loop loop{work, count};
  helpers.Run(loop);
}

void InParts(int64_t size, int64_t part, const std::function<void(int64_t, int64_t)>& work) {
  ForEach(Blocks(size, part), [&](int64_t i) { work(i * part, std::min(part, size - i * part)); });
}

bool HasWide() {
#ifdef GYRE_WIDE
  return __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

bool HasTiles() {
#ifdef GYRE_TILES
  static const bool has = [] {
    unsigned a, b, c, d, features, unused;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !__get_cpuid_count(7, 1, &features, &unused, &unused, &unused)) return false;
    const bool tiles = (d >> 24 & 1) && (d >> 22 & 1);
    const bool wide = (b >> 16 & 1) && (b >> 30 & 1) && (b >> 31 & 1) && (features >> 5 & 1);
    // Linux gives a process the tiles when it asks for them.
    constexpr int kRequest = 0x1023, kTileData = 18;
    return tiles && wide && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  }();
  return has;
#else
  return false;
#endif
}

}  // namespace gyre
