// What code instrumented by a newer LLVM calls in place of memcpy and its like; libtsan intercepts the plain ones.
#include <stddef.h>
#include <string.h>

void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  return memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  return memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int byte, size_t bytes) {
  return memset(to, byte, bytes);
}
