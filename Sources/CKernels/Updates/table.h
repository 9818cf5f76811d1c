// The table of loops for one instruction set, and the three tables that exist.
#pragma once
#include "ReductionKernels.h"
#include "UpdateKernels.h"

typedef struct pk_table {
    void (*rules[PK_RULE_COUNT])(const pk_update *, pk_sums *);
    void (*condition)(const pk_pass *, const float *, float *, size_t);
    void (*center_rows)(float *, size_t, size_t);
    double (*sum_of_squares)(const float *, size_t);
    void (*compare)(const float *, const float *, size_t, pk_sums *);
    int (*all_finite)(const float *, size_t);
    int (*all_within)(const float *, size_t, float, float);
    void (*adam_entry)(const pk_constants *, float *, float *, const float *, size_t);
    void (*adafactor_matrix)(float *, size_t, size_t, float *, float *, float, float, double *);
    void (*add)(float *, const float *, size_t);
    void (*scale)(float *, float, size_t);
    void (*clamp)(float *, float, size_t);
    void (*combine)(const pk_source *, size_t, double, double, float *, size_t);
    void (*lerp)(const float *, const float *, float, float *, size_t);
    void (*running_mean)(const float *, const float *, float, float *, size_t);
    void (*trimmed_mean)(const pk_source *, size_t, size_t, double, size_t, double *, float *, size_t);
    double (*squared_distance)(const pk_source *, const pk_source *, double, size_t);
} pk_table;

extern const pk_table pk_baseline;
extern const pk_table pk_avx2;
extern const pk_table pk_avx512;
