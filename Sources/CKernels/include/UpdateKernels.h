// The optimizers' hot loops as seen from Swift: one call updates one contiguous range of the arena in a single pass.
// Every loop is compiled once per instruction set and gives the same bits on each. Called only by `Optimizers`.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The gradient pipeline before the rule: g * before, + decay * w, * after. A flag enables each step.
typedef struct pk_pass {
    float before;
    float decay;
    float after;
    uint8_t scales_before;
    uint8_t decays;
    uint8_t scales_after;
    uint8_t reserved;
} pk_pass;

/// The constants of a rule, rounded to float32 once. Each rule reads the ones named in its formula.
typedef struct pk_constants {
    float rate;        ///< learning rate, with the corrections that the rule folds into it
    float momentum;
    float beta1;       ///< decay of the first moment (rho, alpha, decay in the rules with one moment)
    float beta2;       ///< decay of the second moment
    float one_minus_beta1;
    float one_minus_beta2;
    float epsilon;     ///< added outside of the root, unless the rule says otherwise
    float root;        ///< factor of the root of the second moment (1 / sqrt(1 - beta2^t), or 1)
    float shrink;      ///< factor of the parameter before the update (decoupled weight decay), or 1
    float low;         ///< what only one rule has; named in its formula
    float high;
    float extra;
    int32_t option;    ///< bits of `pk_option`
} pk_constants;

enum pk_option {
    PK_NESTEROV = 1,
    PK_FIRST = 2,         ///< the first update of this parameter
    PK_AMSGRAD = 4,
    PK_CENTERED = 8,
    PK_FROZEN_SLOTS = 16, ///< Adagrad(update_slots=False)
    PK_BUFFERED = 32,     ///< RMSprop of torch with momentum
    PK_RECTIFIED = 64,    ///< RAdam once its variance is tractable
    PK_POWER = 128,       ///< FTRL with lr_power other than -0.5
    PK_WEIGHTED = 256,    ///< Adam's v as torch has it: b2 v + (1 - b2) g g
};

/// One range of the arena. `next` may be `weights`; no other pointers may overlap.
typedef struct pk_update {
    size_t count;
    const float *weights;
    const float *gradients;
    float *next;
    int streams;  ///< whether `next` should not take the place of something else in the caches
    float *slots[3];
    pk_pass pass;
    pk_constants constants;
} pk_update;

/// The bits of the float32 values 2^30 and 2^62: `pk_sums.large` counts weights and slots of at least this size.
enum { PK_LARGE_WEIGHT = 0x4e800000, PK_LARGE_SLOT = 0x5e800000 };

/// Sums over a range; each call adds to them. Lanes and blocks are fixed, so the bits are the same on every machine.
typedef struct pk_sums {
    double gradient_squares;  ///< of the gradients as given
    double change_squares;    ///< of next - weights
    double weight_squares;
    uint64_t nonfinite;       ///< blocks that produced a weight which is not finite
    uint64_t large;           ///< blocks that produced a weight or a slot beyond PK_LARGE_WEIGHT, PK_LARGE_SLOT
} pk_sums;

/// The rules, in the order of every table of loops.
typedef enum pk_rule {
    PK_RULE_SGD,
    PK_RULE_SGD_MOMENTUM,
    PK_RULE_MOMENTUM,
    PK_RULE_ADAGRAD,
    PK_RULE_ADADELTA,
    PK_RULE_ADAM,
    PK_RULE_ADAM_AMSGRAD,
    PK_RULE_ADAM_SETTLED,
    PK_RULE_ADAMAX,
    PK_RULE_ADAM_WEIGHT_DECAY,
    PK_RULE_ASGD,
    PK_RULE_FTRL,
    PK_RULE_PROXIMAL_ADAGRAD,
    PK_RULE_RMSPROP,
    PK_RULE_RMSPROP_CENTERED,
    PK_RULE_RPROP,
    PK_RULE_LAMB_DIRECTION,
    PK_RULE_ADAFACTOR_DIRECTION,
    PK_RULE_ADAFACTOR,
    PK_RULE_TORCH_RMSPROP,
    PK_RULE_TORCH_RMSPROP_BUFFERED,
    PK_RULE_TORCH_RMSPROP_CENTERED,
    PK_RULE_NADAM,
    PK_RULE_RADAM,
    PK_RULE_COUNT
} pk_rule;

typedef enum pk_isa { PK_BASELINE, PK_AVX2, PK_AVX512, PK_ISA_COUNT } pk_isa;

/// The widest instruction set of this machine, detected once.
pk_isa pk_best_isa(void);
/// Whether this machine can run `isa`.
int pk_has_isa(pk_isa isa);
/// Runs a rule over a range with the given instruction set, which the machine must support.
void pk_apply(pk_isa isa, pk_rule rule, const pk_update *update, pk_sums *sums);

/// g = pass(g) in place: the pipeline as a separate stage, for rules that need a whole tensor first.
void pk_condition(pk_isa isa, const pk_pass *pass, const float *weights, float *gradients, size_t count);
/// Subtracts the mean of each of `rows` rows of `width` values, in place.
void pk_center_rows(pk_isa isa, float *values, size_t rows, size_t width);
/// Sum of squares in double, in the same lanes and blocks as all other sums.
double pk_sum_of_squares(pk_isa isa, const float *values, size_t count);
/// Adds to `sums` the changes from `weights` to `next`.
void pk_compare(pk_isa isa, const float *weights, const float *next, size_t count, pk_sums *sums);
/// Whether no value is NaN or infinite.
int pk_all_finite(pk_isa isa, const float *values, size_t count);
/// Whether every value is at least `low` and below `high`; false for NaN.
int pk_all_within(pk_isa isa, const float *values, size_t count, float low, float high);
/// Adds one sparse entry to Adam's moments: m += one_minus_beta1 * v, s += one_minus_beta2 * v * v.
void pk_adam_entry(pk_isa isa, const pk_constants *constants, float *m, float *s, const float *values, size_t count);
/// AdaFactor's factored second moment of one matrix: updates `row` and `column`, and turns `gradients` into directions.
///
/// `beta` is the decay, `epsilon` is added to the squares; `sums` must have room for `columns` doubles.
void pk_adafactor_matrix(
    pk_isa isa, float *gradients, size_t rows, size_t columns, float *row, float *column, float beta, float epsilon,
    double *sums);
/// target += source.
void pk_add(pk_isa isa, float *target, const float *source, size_t count);
/// Bounds every magnitude: min(max(value, -most), most).
void pk_clamp(pk_isa isa, float *values, float most, size_t count);
/// target *= factor.
void pk_scale(pk_isa isa, float *target, float factor, size_t count);
/// next = from + (to - from) * weight; the difference may exceed float32. `next` may overlap neither of the others.
void pk_lerp(pk_isa isa, const float *from, const float *to, float weight, float *next, size_t count);
/// next = average + (weights - average) / number: the mean of `number` values, the last of which is `weights`.
void pk_running_mean(
    pk_isa isa, const float *average, const float *weights, float number, float *next, size_t count);
