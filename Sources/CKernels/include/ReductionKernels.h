// The reductions of several workers' gradients as seen from Swift: one call reduces one contiguous range. Compiled and
// chosen like the loops of `UpdateKernels.h`, with the same bits on each instruction set. Called only by `Optimizers`.
#pragma once
#include <stddef.h>

#include "UpdateKernels.h"

/// The values of one worker in the range; NULL if it has none there, which counts as zeros.
typedef struct pk_source {
    const float *values;
    double factor;  ///< multiplies the values before they are bounded: unscaling, clipping by norm
    double weight;  ///< multiplies them afterwards
} pk_source;

/// target = sum(weight * bounded(factor * value)) / divisor.
///
/// Computed in double in the order of the sources and rounded to float32 once; bounded(x) is x within -bound and bound.
void pk_combine(
    pk_isa isa, const pk_source *sources, size_t number, double bound, double divisor, float *target, size_t count);

/// target = the mean of bounded(factor * value) without the `cut` smallest and the `cut` largest values of each place.
///
/// Sorted and summed in double, in ascending order. `absent` more values of each place are zero; needs 2 cut < number +
/// absent. `scratch` must have room for 16 doubles for each source. Weights are not used.
void pk_trimmed_mean(
    pk_isa isa, const pk_source *sources, size_t number, size_t absent, double bound, size_t cut, double *scratch,
    float *target, size_t count);

/// The sum of squares of the differences of bounded(factor * value) between two sources.
double pk_squared_distance(pk_isa isa, const pk_source *a, const pk_source *b, double bound, size_t count);
