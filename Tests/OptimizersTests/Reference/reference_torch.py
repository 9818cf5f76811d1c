#!/usr/bin/env python
"""NumPy (float64) reading of the PyTorch rules; replays the torch_* cases.  Needs only numpy."""
import sys, os, json, glob
import numpy as np


def arr(d):
    return np.array(d['data'], np.float32).astype(np.float64).reshape(d['shape'])


def step(o, k, w, g, s, lr, wd):
    """one parameter; k = 1 for the first step; s = its state dict"""
    t = o['type']
    Z = lambda n, v=0.0: s.setdefault(n, np.full(w.shape, v))
    if o.get('maximize'):
        g = -g
    if t in ('AdamW',) or o.get('decoupled_weight_decay'):
        w = w * (1 - lr * wd)
    elif wd:
        g = g + wd * w
    if t == 'SGD':
        m = o['momentum']
        if m:
            s['b'] = g if k == 1 else m * s['b'] + (1 - o['dampening']) * g
            g = g + m * s['b'] if o['nesterov'] else s['b']
        return w - lr * g
    if t in ('Adam', 'AdamW'):
        b1, b2 = o['betas']
        s['m'] = b1 * Z('m') + (1 - b1) * g
        s['v'] = b2 * Z('v') + (1 - b2) * g * g
        v = s['v']
        if o['amsgrad']:
            v = s['vmax'] = np.maximum(Z('vmax'), v)
        return w - lr / (1 - b1 ** k) * s['m'] / (np.sqrt(v) / np.sqrt(1 - b2 ** k) + o['eps'])
    if t == 'Adagrad':
        s['a'] = Z('a', o['initial_accumulator_value']) + g * g
        return w - lr / (1 + (k - 1) * o['lr_decay']) * g / (np.sqrt(s['a']) + o['eps'])
    if t == 'RMSprop':
        a = o['alpha']
        s['v'] = a * Z('v') + (1 - a) * g * g
        v = s['v']
        if o['centered']:
            s['mg'] = a * Z('mg') + (1 - a) * g
            v = v - s['mg'] ** 2
        d = np.sqrt(v) + o['eps']
        if o['momentum']:
            s['b'] = o['momentum'] * Z('b') + g / d
            return w - lr * s['b']
        return w - lr * g / d
    if t == 'Adadelta':
        r, e = o['rho'], o['eps']
        s['v'] = r * Z('v') + (1 - r) * g * g
        d = np.sqrt(Z('u') + e) / np.sqrt(s['v'] + e) * g
        s['u'] = r * s['u'] + (1 - r) * d * d
        return w - lr * d
    if t == 'Adamax':
        b1, b2 = o['betas']
        s['m'] = b1 * Z('m') + (1 - b1) * g
        s['u'] = np.maximum(b2 * Z('u'), np.abs(g) + o['eps'])
        return w - lr / (1 - b1 ** k) * s['m'] / s['u']
    if t == 'Rprop':
        lo, hi = o['step_sizes']
        if k == 1:
            s['ss'] = np.full(w.shape, lr)
        f = g * Z('prev')
        f = np.where(f > 0, o['etas'][1], np.where(f < 0, o['etas'][0], 1.0))
        s['ss'] = np.clip(s['ss'] * f, lo, hi)
        g = np.where(f == o['etas'][0], 0.0, g)
        s['prev'] = g
        return w - np.sign(g) * s['ss']
    if t == 'ASGD':
        if k == 1:
            s['eta'], s['mu'] = lr, 1.0
        w = w * (1 - o['lambd'] * s['eta']) - s['eta'] * g
        s['ax'] = w if s['mu'] == 1 else Z('ax') + (w - s['ax']) * s['mu']
        s['eta'] = lr / (1 + o['lambd'] * lr * k) ** o['alpha']
        s['mu'] = 1 / max(1, k - o['t0'])
        return w
    if t == 'NAdam':
        b1, b2 = o['betas']
        mu = b1 * (1 - 0.5 * 0.96 ** (k * o['momentum_decay']))
        mu1 = b1 * (1 - 0.5 * 0.96 ** ((k + 1) * o['momentum_decay']))
        s['p'] = s.get('p', 1.0) * mu
        s['m'] = b1 * Z('m') + (1 - b1) * g
        s['v'] = b2 * Z('v') + (1 - b2) * g * g
        d = np.sqrt(s['v'] / (1 - b2 ** k)) + o['eps']
        return w - lr * (1 - mu) / (1 - s['p']) * g / d - lr * mu1 / (1 - s['p'] * mu1) * s['m'] / d
    if t == 'RAdam':
        b1, b2 = o['betas']
        s['m'] = b1 * Z('m') + (1 - b1) * g
        s['v'] = b2 * Z('v') + (1 - b2) * g * g
        inf = 2 / (1 - b2) - 1
        rho = inf - 2 * k * b2 ** k / (1 - b2 ** k)
        mh = s['m'] / (1 - b1 ** k)
        if rho > 5:
            r = np.sqrt((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho))
            return w - lr * mh * r * np.sqrt(1 - b2 ** k) / (np.sqrt(s['v']) + o['eps'])
        return w - lr * mh
    raise KeyError(t)


if __name__ == '__main__':
    here = os.path.dirname(os.path.abspath(__file__))
    by = {}
    for d in ('public',):
        for f in sorted(glob.glob(os.path.join(here, '../Golden', d, 'torch_*.json'))):
            c = json.load(open(f))
            w = {n: arr(p) for n, p in c['params'].items()}
            S = {n: {} for n in w}
            grp = {n: g['name'] for g in c.get('groups', []) for n in g['params']}
            e = 0
            for k, st in enumerate(c['steps'], 1):
                for n in w:
                    lr = st['lr'][grp[n]] if grp else st['lr']
                    wd = st['weight_decay'][grp[n]] if grp else st['weight_decay']
                    w[n] = step(c['optimizer'], k, w[n], arr(st['grads'][n]), S[n], lr, wd)
                    r = arr(st['params_after'][n])
                    e = max(e, float((np.abs(w[n] - r) / np.maximum(np.abs(r), 1e-2)).max()))
            by[c['optimizer']['type']] = max(by.get(c['optimizer']['type'], 0), e)
            if e > 3e-5:
                print('OVER', os.path.basename(f), e)
    print(by)
