// Chooses the loops for this machine, once. No ifunc resolvers: they run before sanitizers are ready and crash there.
#include "table.h"

#if defined(__x86_64__)
static const pk_table *const tables[PK_ISA_COUNT] = {&pk_baseline, &pk_avx2, &pk_avx512};

int pk_has_isa(pk_isa isa) {
    __builtin_cpu_init();
    switch (isa) {
    case PK_BASELINE: return 1;
    case PK_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case PK_AVX512: return __builtin_cpu_supports("avx512f") != 0;
    default: return 0;
    }
}
#else
static const pk_table *const tables[PK_ISA_COUNT] = {&pk_baseline, &pk_baseline, &pk_baseline};

int pk_has_isa(pk_isa isa) { return isa == PK_BASELINE; }
#endif

pk_isa pk_best_isa(void) {
    if (pk_has_isa(PK_AVX512)) return PK_AVX512;
    return pk_has_isa(PK_AVX2) ? PK_AVX2 : PK_BASELINE;
}

void pk_apply(pk_isa isa, pk_rule rule, const pk_update *update, pk_sums *sums) {
    tables[isa]->rules[rule](update, sums);
}

void pk_condition(pk_isa isa, const pk_pass *pass, const float *weights, float *gradients, size_t count) {
    tables[isa]->condition(pass, weights, gradients, count);
}

void pk_center_rows(pk_isa isa, float *values, size_t rows, size_t width) {
    tables[isa]->center_rows(values, rows, width);
}

double pk_sum_of_squares(pk_isa isa, const float *values, size_t count) {
    return tables[isa]->sum_of_squares(values, count);
}

void pk_compare(pk_isa isa, const float *weights, const float *next, size_t count, pk_sums *sums) {
    tables[isa]->compare(weights, next, count, sums);
}

int pk_all_finite(pk_isa isa, const float *values, size_t count) { return tables[isa]->all_finite(values, count); }

int pk_all_within(pk_isa isa, const float *values, size_t count, float low, float high) {
    return tables[isa]->all_within(values, count, low, high);
}

void pk_adam_entry(
    pk_isa isa, const pk_constants *constants, float *m, float *s, const float *values, size_t count) {
    tables[isa]->adam_entry(constants, m, s, values, count);
}

void pk_adafactor_matrix(
    pk_isa isa, float *gradients, size_t rows, size_t columns, float *row, float *column, float beta, float epsilon,
    double *sums) {
    tables[isa]->adafactor_matrix(gradients, rows, columns, row, column, beta, epsilon, sums);
}

void pk_add(pk_isa isa, float *target, const float *source, size_t count) { tables[isa]->add(target, source, count); }

void pk_scale(pk_isa isa, float *target, float factor, size_t count) { tables[isa]->scale(target, factor, count); }

void pk_clamp(pk_isa isa, float *values, float most, size_t count) { tables[isa]->clamp(values, most, count); }

void pk_combine(
    pk_isa isa, const pk_source *sources, size_t number, double bound, double divisor, float *target, size_t count) {
    tables[isa]->combine(sources, number, bound, divisor, target, count);
}

void pk_lerp(pk_isa isa, const float *from, const float *to, float weight, float *next, size_t count) {
    tables[isa]->lerp(from, to, weight, next, count);
}

void pk_running_mean(
    pk_isa isa, const float *average, const float *weights, float number, float *next, size_t count) {
    tables[isa]->running_mean(average, weights, number, next, count);
}

void pk_trimmed_mean(
    pk_isa isa, const pk_source *sources, size_t number, size_t absent, double bound, size_t cut, double *scratch,
    float *target, size_t count) {
    tables[isa]->trimmed_mean(sources, number, absent, bound, cut, scratch, target, count);
}

double pk_squared_distance(pk_isa isa, const pk_source *a, const pk_source *b, double bound, size_t count) {
    return tables[isa]->squared_distance(a, b, bound, count);
}
