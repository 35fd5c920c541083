// A log-linear histogram of nanoseconds: 64 steps in each power of two, so a value is off by less than 1.6%.
#pragma once

#include <stdint.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_SLOTS (HISTOGRAM_STEPS * 40)

typedef struct {
  uint64_t slots[HISTOGRAM_SLOTS];
  uint64_t count, max;
} histogram;

static inline void histogram_add(histogram* h, uint64_t ns) {
  const int octave = ns < HISTOGRAM_STEPS ? 0 : 58 - __builtin_clzll(ns);
  uint64_t slot =
      ns < HISTOGRAM_STEPS ? ns : (uint64_t)octave * HISTOGRAM_STEPS + (ns >> (octave - 1)) - HISTOGRAM_STEPS;
  if (slot >= HISTOGRAM_SLOTS) slot = HISTOGRAM_SLOTS - 1;
  h->slots[slot]++;
  h->count++;
  if (ns > h->max) h->max = ns;
}

// Lower end of the step that holds the quantile q (0 to 1), in nanoseconds.
static inline uint64_t histogram_quantile(const histogram* h, double q) {
  uint64_t rest = (uint64_t)(q * (double)h->count);
  for (int i = 0; i < HISTOGRAM_SLOTS; ++i) {
    if (h->slots[i] > rest) {
      const int octave = i / HISTOGRAM_STEPS;
      if (octave == 0) return (uint64_t)i;
      return (uint64_t)(i % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << (octave - 1);
    }
    rest -= h->slots[i];
  }
  return h->max;
}
