// What our operations with vectors of 512 bits share. Only for files that are left out where GYRE_WIDE is not defined.
#pragma once

#include <cstdint>
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))
#define WIDE_INLINE __attribute__((target("avx512f"), always_inline)) inline

namespace gyre {

constexpr int kLanes = 16;  // numbers in a vector

// Which lanes there are where `left` numbers are left.
WIDE_INLINE __mmask16 Valid(int64_t left) {
  return left >= kLanes ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1 << left) - 1);
}

}  // namespace gyre
