// A TensorFlow graph session for Node: takes a GraphDef, runs parts of it, copies numbers in and out. Nothing more: what
// the graph means, which nodes exist and which shapes are right is the caller's business. Node-API 8 and TensorFlow's C API.
//
//   open(config)                      → session   ConfigProto bytes; an external, closed by `close` or the collector
//   extend(session, graphDef)                     adds nodes
//   describe(session, graphDef, name, inputs) → outputs   adds the one node of a GraphDef; inputs: [name, output] of what it
//                                                 reads; outputs: [dtype, shape], with −1 for a size that nobody knows yet
//   prepare(session, feeds, fetches, targets) → call   feeds: [name, dtype, shape]; fetches, targets: names
//   run(session, call, inputs)        → outputs   inputs: one typed array a feed; outputs: [dtype, shape, ArrayBuffer]
//   close(session)
//   operations()                      → names of the module's own operations that this processor can run
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <node_api.h>

#include "gyre_kernel.hpp"

std::vector<gyre::Kernel> RotateBackKernels();
std::vector<gyre::Kernel> WinogradKernels();
std::vector<gyre::Kernel> GroupNormKernels();
std::vector<gyre::Kernel> FilterGradientKernels();
std::vector<gyre::Kernel> Bfloat16Kernels();

namespace {

struct Feed {
  TF_Output output;
  TF_DataType dtype;
  std::vector<int64_t> shape;
};

struct Call {
  std::vector<Feed> feeds;
  std::vector<TF_Output> fetches;
  std::vector<const TF_Operation*> targets;
};

struct Session {
  TF_Graph* graph = nullptr;
  TF_Session* session = nullptr;
  std::vector<std::unique_ptr<Call>> calls;

  void Close() {
    std::unique_ptr<TF_Status, void (*)(TF_Status*)> status(TF_NewStatus(), TF_DeleteStatus);
    if (session != nullptr) {
      TF_CloseSession(session, status.get());
      TF_DeleteSession(session, status.get());
      session = nullptr;
    }
    if (graph != nullptr) {
      TF_DeleteGraph(graph);
      graph = nullptr;
    }
    calls.clear();
  }
  ~Session() { Close(); }
};

// Thrown inside this file only; becomes a JavaScript error at the border.
struct Failure {
  std::string message;
};

void Check(bool ok, const std::string& message) {
  if (!ok) throw Failure{message};
}

void CheckNode(napi_status status, const char* what) { Check(status == napi_ok, what); }

class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  TF_Status* get() const { return status_; }
  void Check() const {
    if (TF_GetCode(status_) == TF_OK) return;
    const std::string code = std::to_string(TF_GetCode(status_));
    throw Failure{"TensorFlow " + code + ": " + TF_Message(status_)};
  }

 private:
  TF_Status* status_;
};

struct Tensors {
  std::vector<TF_Tensor*> all;
  explicit Tensors(size_t count) : all(count, nullptr) {}
  ~Tensors() {
    for (TF_Tensor* tensor : all)
      if (tensor != nullptr) TF_DeleteTensor(tensor);
  }
};

std::vector<napi_value> Arguments(napi_env env, napi_callback_info info, size_t count) {
  std::vector<napi_value> values(count);
  size_t given = count;
  CheckNode(napi_get_cb_info(env, info, &given, values.data(), nullptr, nullptr), "arguments");
  Check(given == count, "Wrong number of arguments.");
  return values;
}

uint32_t Length(napi_env env, napi_value array) {
  uint32_t length = 0;
  CheckNode(napi_get_array_length(env, array, &length), "An array was expected.");
  return length;
}

napi_value At(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  CheckNode(napi_get_element(env, array, index, &value), "An element is missing.");
  return value;
}

std::string Text(napi_env env, napi_value value) {
  size_t length = 0;
  CheckNode(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "A text was expected.");
  std::string text(length, '\0');
  CheckNode(napi_get_value_string_utf8(env, value, &text[0], length + 1, &length), "text");
  return text;
}

int64_t Integer(napi_env env, napi_value value) {
  int64_t number = 0;
  CheckNode(napi_get_value_int64(env, value, &number), "A number was expected.");
  return number;
}

struct Bytes {
  const void* data = nullptr;
  size_t size = 0;
};

size_t ElementSize(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array:
      return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      return 8;
    default:
      return 1;
  }
}

Bytes BytesOf(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  CheckNode(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr),
            "A typed array was expected.");
  return {data, length * ElementSize(type)};
}

Session& SessionOf(napi_env env, napi_value value) {
  void* pointer = nullptr;
  CheckNode(napi_get_value_external(env, value, &pointer), "A session was expected.");
  Session& session = *static_cast<Session*>(pointer);
  Check(session.session != nullptr, "The session is closed.");
  return session;
}

TF_Operation* OperationOf(const Session& session, const std::string& name) {
  TF_Operation* operation = TF_GraphOperationByName(session.graph, name.c_str());
  Check(operation != nullptr, "The graph has no node " + name + ".");
  return operation;
}

napi_value Open(napi_env env, napi_callback_info info) {
  const Bytes config = BytesOf(env, Arguments(env, info, 1)[0]);
  auto session = std::make_unique<Session>();
  session->graph = TF_NewGraph();
  Status status;
  std::unique_ptr<TF_SessionOptions, void (*)(TF_SessionOptions*)> options(TF_NewSessionOptions(),
                                                                           TF_DeleteSessionOptions);
  TF_SetConfig(options.get(), config.data, config.size, status.get());
  status.Check();
  session->session = TF_NewSession(session->graph, options.get(), status.get());
  status.Check();
  napi_value value;
  CheckNode(napi_create_external(
                env, session.get(), [](napi_env, void* data, void*) { delete static_cast<Session*>(data); },
                nullptr, &value),
            "external");
  session.release();
  return value;
}

// Adds the nodes of a GraphDef. What they read is among them, or is one of `inputs`, in the graph already.
void Import(const Session& session, const Bytes& bytes, const std::vector<std::pair<std::string, int>>& inputs) {
  std::unique_ptr<TF_Buffer, void (*)(TF_Buffer*)> buffer(TF_NewBufferFromString(bytes.data, bytes.size),
                                                          TF_DeleteBuffer);
  std::unique_ptr<TF_ImportGraphDefOptions, void (*)(TF_ImportGraphDefOptions*)> options(
      TF_NewImportGraphDefOptions(), TF_DeleteImportGraphDefOptions);
  for (const auto& [name, output] : inputs)
    TF_ImportGraphDefOptionsAddInputMapping(options.get(), name.c_str(), output, {OperationOf(session, name), output});
  Status status;
  TF_GraphImportGraphDef(session.graph, buffer.get(), options.get(), status.get());
  status.Check();
}

napi_value Extend(napi_env env, napi_callback_info info) {
  const auto values = Arguments(env, info, 2);
  Import(SessionOf(env, values[0]), BytesOf(env, values[1]), {});
  return nullptr;
}

napi_value TypeOf(napi_env env, TF_Graph* graph, TF_Output output) {
  Status status;
  const int rank = TF_GraphGetTensorNumDims(graph, output, status.get());
  status.Check();
  std::vector<int64_t> sizes(rank < 0 ? 1 : static_cast<size_t>(rank), -1);
  if (rank >= 0) TF_GraphGetTensorShape(graph, output, sizes.data(), rank, status.get());
  status.Check();
  napi_value entry, dtype, shape;
  CheckNode(napi_create_array_with_length(env, 2, &entry), "array");
  CheckNode(napi_create_int32(env, TF_OperationOutputType(output), &dtype), "dtype");
  CheckNode(napi_create_array_with_length(env, sizes.size(), &shape), "shape");
  for (size_t d = 0; d < sizes.size(); d++) {
    napi_value size;
    CheckNode(napi_create_int64(env, sizes[d], &size), "size");
    CheckNode(napi_set_element(env, shape, static_cast<uint32_t>(d), size), "size");
  }
  CheckNode(napi_set_element(env, entry, 0, dtype), "entry");
  CheckNode(napi_set_element(env, entry, 1, shape), "entry");
  return entry;
}

napi_value Describe(napi_env env, napi_callback_info info) {
  const auto values = Arguments(env, info, 4);
  Session& session = SessionOf(env, values[0]);
  std::vector<std::pair<std::string, int>> inputs;
  for (uint32_t i = 0; i < Length(env, values[3]); i++) {
    const napi_value entry = At(env, values[3], i);
    inputs.emplace_back(Text(env, At(env, entry, 0)), static_cast<int>(Integer(env, At(env, entry, 1))));
  }
  Import(session, BytesOf(env, values[1]), inputs);
  TF_Operation* operation = OperationOf(session, Text(env, values[2]));
  const int count = TF_OperationNumOutputs(operation);
  napi_value outputs;
  CheckNode(napi_create_array_with_length(env, count, &outputs), "array");
  for (int i = 0; i < count; i++)
    CheckNode(napi_set_element(env, outputs, i, TypeOf(env, session.graph, {operation, i})), "output");
  return outputs;
}

napi_value Prepare(napi_env env, napi_callback_info info) {
  const auto values = Arguments(env, info, 4);
  Session& session = SessionOf(env, values[0]);
  auto call = std::make_unique<Call>();
  for (uint32_t i = 0; i < Length(env, values[1]); i++) {
    const napi_value entry = At(env, values[1], i);
    Feed feed;
    feed.output = {OperationOf(session, Text(env, At(env, entry, 0))), 0};
    feed.dtype = static_cast<TF_DataType>(Integer(env, At(env, entry, 1)));
    const napi_value shape = At(env, entry, 2);
    for (uint32_t d = 0; d < Length(env, shape); d++) feed.shape.push_back(Integer(env, At(env, shape, d)));
    call->feeds.push_back(feed);
  }
  for (uint32_t i = 0; i < Length(env, values[2]); i++)
    call->fetches.push_back({OperationOf(session, Text(env, At(env, values[2], i))), 0});
  for (uint32_t i = 0; i < Length(env, values[3]); i++)
    call->targets.push_back(OperationOf(session, Text(env, At(env, values[3], i))));
  session.calls.push_back(std::move(call));
  napi_value id;
  CheckNode(napi_create_uint32(env, static_cast<uint32_t>(session.calls.size() - 1), &id), "id");
  return id;
}

TF_Tensor* TensorOf(const Feed& feed, const Bytes& bytes, size_t index) {
  size_t size = TF_DataTypeSize(feed.dtype);
  for (const int64_t dimension : feed.shape) size *= static_cast<size_t>(dimension);
  Check(size == bytes.size, "Feed " + std::to_string(index) + " needs " + std::to_string(size) +
                                " bytes and was given " + std::to_string(bytes.size) + ".");
  TF_Tensor* tensor =
      TF_AllocateTensor(feed.dtype, feed.shape.data(), static_cast<int>(feed.shape.size()), size);
  Check(tensor != nullptr, "There is no memory for a feed.");
  if (size > 0) std::memcpy(TF_TensorData(tensor), bytes.data, size);
  return tensor;
}

napi_value ArrayOf(napi_env env, TF_Tensor* tensor) {
  napi_value entry, dtype, shape, buffer;
  const int rank = TF_NumDims(tensor);
  CheckNode(napi_create_array_with_length(env, 3, &entry), "array");
  CheckNode(napi_create_int32(env, TF_TensorType(tensor), &dtype), "dtype");
  CheckNode(napi_create_array_with_length(env, rank, &shape), "shape");
  for (int d = 0; d < rank; d++) {
    napi_value size;
    CheckNode(napi_create_int64(env, TF_Dim(tensor, d), &size), "size");
    CheckNode(napi_set_element(env, shape, d, size), "size");
  }
  void* data = nullptr;
  const size_t bytes = TF_TensorByteSize(tensor);
  CheckNode(napi_create_arraybuffer(env, bytes, &data, &buffer), "There is no memory for a result.");
  if (bytes > 0) std::memcpy(data, TF_TensorData(tensor), bytes);
  CheckNode(napi_set_element(env, entry, 0, dtype), "entry");
  CheckNode(napi_set_element(env, entry, 1, shape), "entry");
  CheckNode(napi_set_element(env, entry, 2, buffer), "entry");
  return entry;
}

napi_value Run(napi_env env, napi_callback_info info) {
  const auto values = Arguments(env, info, 3);
  Session& session = SessionOf(env, values[0]);
  const auto id = static_cast<size_t>(Integer(env, values[1]));
  Check(id < session.calls.size(), "There is no such call.");
  const Call& call = *session.calls[id];
  Check(Length(env, values[2]) == call.feeds.size(), "Wrong number of feeds.");
  Tensors inputs(call.feeds.size());
  std::vector<TF_Output> feeds;
  for (size_t i = 0; i < call.feeds.size(); i++) {
    const Bytes bytes = BytesOf(env, At(env, values[2], static_cast<uint32_t>(i)));
    inputs.all[i] = TensorOf(call.feeds[i], bytes, i);
    feeds.push_back(call.feeds[i].output);
  }
  Tensors outputs(call.fetches.size());
  Status status;
  TF_SessionRun(session.session, nullptr, feeds.data(), inputs.all.data(), static_cast<int>(feeds.size()),
                call.fetches.data(), outputs.all.data(), static_cast<int>(call.fetches.size()),
                call.targets.data(), static_cast<int>(call.targets.size()), nullptr, status.get());
  status.Check();
  napi_value result;
  CheckNode(napi_create_array_with_length(env, outputs.all.size(), &result), "array");
  for (size_t i = 0; i < outputs.all.size(); i++)
    CheckNode(napi_set_element(env, result, static_cast<uint32_t>(i), ArrayOf(env, outputs.all[i])), "result");
  return result;
}

std::vector<std::string> own_operations;  // filled before anybody can ask

napi_value Operations(napi_env env, napi_callback_info) {
  napi_value names, name;
  CheckNode(napi_create_array_with_length(env, own_operations.size(), &names), "array");
  for (size_t i = 0; i < own_operations.size(); i++) {
    CheckNode(napi_create_string_utf8(env, own_operations[i].c_str(), NAPI_AUTO_LENGTH, &name), "string");
    CheckNode(napi_set_element(env, names, static_cast<uint32_t>(i), name), "name");
  }
  return names;
}

napi_value Close(napi_env env, napi_callback_info info) {
  SessionOf(env, Arguments(env, info, 1)[0]).Close();
  return nullptr;
}

// Nothing but JavaScript errors leaves this module.
template <napi_value (*Body)(napi_env, napi_callback_info)>
napi_value Guarded(napi_env env, napi_callback_info info) {
  try {
    return Body(env, info);
  } catch (const Failure& failure) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, nullptr, failure.message.c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

template <napi_value (*Body)(napi_env, napi_callback_info)>
void Export(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, Guarded<Body>, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

NAPI_MODULE_INIT() {
  // Every thread that loads this module comes here.
  static std::once_flag once;
  static std::string failure;
  std::call_once(once, [] {
    std::vector<std::vector<gyre::Kernel>> all = {RotateBackKernels()};
    if (gyre::HasWide()) all.insert(all.end(), {WinogradKernels(), GroupNormKernels()});
    if (gyre::HasTiles()) all.insert(all.end(), {FilterGradientKernels(), Bfloat16Kernels()});
    for (const auto& kernels : all) {
      if (failure.empty()) failure = gyre::Register(kernels);
      for (const auto& kernel : kernels) own_operations.push_back(kernel.name);
    }
  });
  if (!failure.empty()) napi_throw_error(env, nullptr, failure.c_str());
  Export<Open>(env, exports, "open");
  Export<Extend>(env, exports, "extend");
  Export<Describe>(env, exports, "describe");
  Export<Prepare>(env, exports, "prepare");
  Export<Run>(env, exports, "run");
  Export<Close>(env, exports, "close");
  Export<Operations>(env, exports, "operations");
  return exports;
}
