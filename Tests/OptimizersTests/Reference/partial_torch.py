#!/usr/bin/env python
"""Pushes that leave parameters out: each parameter counts its own updates, the rate follows the model's.

partial_torch.py           replays every file of Golden/partial with the NumPy rules of reference_torch.py
partial_torch.py --write   makes the numpy__*.json there: all rules, parameters that come late, rarely or by turns
"""
import json
import os
import sys

import numpy as np

from reference_torch import arr, step

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../Golden/partial')
ADAM = {'betas': [0.9, 0.999], 'eps': 1e-8}
#: What torch.optim's classes take where nothing is said, weight decay included.
DEFAULTS = {
    'SGD': {'momentum': 0, 'dampening': 0, 'nesterov': False},
    'Adam': {**ADAM, 'amsgrad': False},
    'AdamW': {**ADAM, 'amsgrad': False, 'weight_decay': 0.01},
    'Adagrad': {'lr_decay': 0, 'initial_accumulator_value': 0, 'eps': 1e-10},
    'RMSprop': {'alpha': 0.99, 'eps': 1e-8, 'momentum': 0, 'centered': False},
    'Adadelta': {'rho': 0.9, 'eps': 1e-6},
    'Adamax': ADAM,
    'Rprop': {'etas': [0.5, 1.2], 'step_sizes': [1e-6, 50]},
    'ASGD': {'lambd': 1e-4, 'alpha': 0.75, 't0': 1e6},
    'NAdam': {**ADAM, 'momentum_decay': 4e-3},
    'RAdam': ADAM,
}
NAMES = {name.lower(): name for name in DEFAULTS}
#: The rules that are written, with a rate at which they move.
RULES = [
    ('sgd', {}, 0.1),
    ('sgd', {'momentum': 0.9, 'dampening': 0.2, 'maximize': True}, 0.05),
    ('sgd', {'momentum': 0.9, 'nesterov': True}, 0.05),
    ('adam', {}, 0.05),
    ('adam', {'amsgrad': True, 'maximize': True, 'betas': [0.7, 0.8]}, 0.05),
    ('adam', {'decoupled_weight_decay': True}, 0.05),
    ('adamw', {'betas': [0.8, 0.99]}, 0.05),
    ('adagrad', {'lr_decay': 0.5}, 0.1),
    ('rmsprop', {}, 0.01),
    ('rmsprop', {'momentum': 0.9, 'centered': True}, 0.01),
    ('adadelta', {}, 1.0),
    ('adamax', {'betas': [0.8, 0.9]}, 0.05),
    ('rprop', {}, 0.02),
    ('asgd', {'t0': 2, 'lambd': 0.05, 'alpha': 0.6}, 0.05),
    ('nadam', {'momentum_decay': 0.02}, 0.05),
    ('nadam', {'decoupled_weight_decay': True}, 0.05),
    ('radam', {'betas': [0.9, 0.9]}, 0.05),
    ('radam', {'decoupled_weight_decay': True}, 0.05),
]
SHAPES = {'a': [2, 3], 'b': [4], 'c': [], 'd': [3, 1, 2]}
#: By parameter: the pushes, of 10, that bring its gradient.
PATTERN = {'a': range(10), 'b': range(6, 10), 'c': (0, 4, 9), 'd': range(1, 10, 2)}


def groups_of(definition):
    """By parameter: the group's own settings and its name."""
    names = list(definition['parameters'])
    if 'groups' not in definition:
        return dict.fromkeys(names, {'name': 'default'})
    found = {}
    for group in definition['groups']:
        for name in names if group['params'] == ['*'] else group['params']:
            found.setdefault(name, group)
    return found


def rate(definition, group, k):
    """The rate of the update that follows k pushes of the model."""
    value = group.get('lr', definition['learning_rate'])
    return value[k] if isinstance(value, list) else value


def run(definition, pushes, patches):
    """The parameters after each push; `pushes` holds gradients by name."""
    given = {k: v for k, v in definition['optimizer'].items() if k not in ('type', 'framework')}
    rule = NAMES[definition['optimizer']['type'].lower()]
    options = {**DEFAULTS[rule], **given, 'type': rule}
    groups = groups_of(definition)
    values = {name: arr(tensor) for name, tensor in definition['parameters'].items()}
    states, counts = {name: {} for name in values}, dict.fromkeys(values, 0)
    for k, (gradients, patch) in enumerate(zip(pushes, patches)):
        definition = {**definition, **patch}
        for name, gradient in gradients.items():
            counts[name] += 1
            decay = groups[name].get('weight_decay', definition.get('weight_decay', options.get('weight_decay', 0)))
            lr = rate(definition, groups[name], k)
            values[name] = step(options, counts[name], values[name], gradient, states[name], lr, decay)
        yield dict(values)


def tensor(value):
    """The array as the shortest float32 texts."""
    flat = np.asarray(value, np.float32).reshape(-1)
    return {'shape': list(np.shape(value)), 'data': [float(str(x)) for x in flat]}


def make(type_, options, lr, seed):
    """A case in the form of the recorded ones."""
    noise = np.random.default_rng(seed)
    draw = lambda: {name: tensor(noise.normal(size=shape).round(4)) for name, shape in SHAPES.items()}
    definition = {
        'optimizer': {'type': type_, 'framework': 'torch', **options},
        'learning_rate': [round(lr * (1 + 0.1 * k), 9) for k in range(10)],
        'parameters': draw(),
    }
    if type_ != 'rprop':
        definition['weight_decay'] = 0.05
    pushes = [{n: g for n, g in draw().items() if k in PATTERN[n]} for k in range(10)]
    arrays = [{n: arr(g) for n, g in push.items()} for push in pushes]
    steps = [
        {'gradients': push, 'parameters': {n: tensor(v) for n, v in after.items()}}
        for push, after in zip(pushes, run(definition, arrays, [{}] * 10))
    ]
    label = '_'.join([type_, *options])
    return {
        'case': f'numpy__{label}', 'framework': 'torch', 'what': 'NumPy in float64 after the formulas of torch.optim',
        'definition': definition, 'steps': steps, 'tolerance': {'abs': 1e-6, 'rel': 1e-5},
    }


def write():
    """Makes the files again; the seeds are their places in the table."""
    for seed, (type_, options, lr) in enumerate(RULES):
        case = make(type_, options, lr, seed)
        with open(os.path.join(FOLDER, case['case'] + '.json'), 'w') as file:
            file.write(json.dumps(case, separators=(',', ':')) + '\n')


def check(path):
    """The largest error of a file over its tolerance."""
    case = json.load(open(path))
    steps, worst = case['steps'], 0.0
    arrays = [{n: arr(g) for n, g in s['gradients'].items()} for s in steps]
    for recorded, after in zip(steps, run(case['definition'], arrays, [s.get('patch', {}) for s in steps])):
        for name, value in after.items():
            reference = arr(recorded['parameters'][name])
            allowed = case['tolerance']['abs'] + case['tolerance']['rel'] * np.abs(reference)
            worst = max(worst, float((np.abs(value - reference) / allowed).max()))
    return worst


if __name__ == '__main__':
    if '--write' in sys.argv:
        write()
    errors = {name: check(os.path.join(FOLDER, name)) for name in sorted(os.listdir(FOLDER))}
    for name, error in errors.items():
        print(f"{'OVER ' if error > 1 else ''}{name} {error:.3f}")
    sys.exit(any(error > 1 for error in errors.values()))
