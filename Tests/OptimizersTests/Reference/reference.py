#!/usr/bin/env python
"""Independent NumPy reference of the optimizer rules; replays every golden case and reports the error.
   python reference.py [DIR ...]      (needs only numpy; default: ../Golden/public)
   precision: float32 throughout, hyper-parameters rounded to float32 first."""
import sys, os, json, glob
import numpy as np
F = np.float32


def arr(d):
    return np.array(d['data'], F).reshape(d['shape'])


def sched_value(s, step):
    """value at integer step, float32 arithmetic in the order MindSpore uses"""
    n, a = s['schedule'], {k: v for k, v in s.items() if k != 'schedule'}
    t = F(step)
    if n == 'exponential_decay_lr':
        p = t / F(a['decay_steps'])
        if a.get('is_stair'):
            p = np.floor(p)
        return F(a['learning_rate']) * np.power(F(a['decay_rate']), p)
    if n == 'natural_exp_decay_lr':
        p = t
        if a.get('is_stair'):
            p = np.floor(p / F(a['decay_steps'])) * F(a['decay_steps'])
        return F(a['learning_rate']) * np.power(F(np.e), F(-a['decay_rate']) * p)
    if n == 'inverse_decay_lr':
        p = t / F(a['decay_steps'])
        if a.get('is_stair'):
            p = np.floor(p)
        return F(a['learning_rate']) / (F(1) + F(a['decay_rate']) * p)
    if n == 'cosine_decay_lr':
        p = F(min(step, a['decay_steps']))
        return F(a['min_lr']) + F(0.5 * (a['max_lr'] - a['min_lr'])) * (F(1) + np.sin(F(np.pi) * (p / F(a['decay_steps']) + F(0.5))))
    if n == 'polynomial_decay_lr':
        d = F(a['decay_steps'])
        if a.get('update_decay_steps'):
            d = d * max(np.ceil(t / d), F(1))
        else:
            t = min(t, d)
        return F(a['learning_rate'] - a['end_learning_rate']) * np.power(F(1) - t / d, F(a['power'])) + F(a['end_learning_rate'])
    if n == 'warm_up_lr':
        return F(a['learning_rate']) * (F(min(step, a['warmup_steps'])) / F(a['warmup_steps']))
    raise KeyError(n)


class Opt:
    def __init__(self, c):
        self.c, self.o = c, c['optimizer']
        self.h = {k: (F(v) if isinstance(v, float) else v) for k, v in self.o.items()}
        self.t = self.o['type']
        self.q = c.get('quirk', '')
        self.ls = float(c['loss_scale'])
        self.w = {n: arr(p) for n, p in c['params'].items()}
        self.s = {}
        self.step = 0
        self.b1p = self.b2p = F(1)
        gs = c.get('groups')
        self.group_of = {n: g for g in gs or [] for n in g['params']}
        self.grouped_lr = any('lr' in g for g in gs or [])
        dyn = lambda v: isinstance(v, (list, dict))
        self.dyn = dyn(c['learning_rate']) or any(dyn(g.get('lr')) for g in gs or [])

    # -- hyper-parameters of a parameter at the current step (step counted from 0)
    def lr_of(self, n):
        spec = self.c['learning_rate']
        if n in self.group_of and 'lr' in self.group_of[n]:
            spec = self.group_of[n]['lr']
        if isinstance(spec, list):
            if self.step >= len(spec):
                raise IndexError('past the end of the learning-rate vector')
            return F(spec[self.step])
        if isinstance(spec, dict):
            return F(sched_value(spec, self.step))
        v = F(0.0 if spec is None else spec)
        if self.grouped_lr and self.dyn:
            v = (v + F(1)) - F(1)
        return v

    def wd_of(self, n):
        spec = self.c['weight_decay']
        if n in self.group_of and 'weight_decay' in self.group_of[n]:
            spec = self.group_of[n]['weight_decay']
        if isinstance(spec, dict):
            return F(sched_value(spec, self.step)) * F(self.ls), True
        return F(float(spec) * self.ls), spec > 0

    def decays(self, n):
        if self.c.get('groups') or self.t == 'FTRL':
            return True
        return 'beta' not in n and 'gamma' not in n

    # -- the common gradient pipeline: decay, centralize, unscale
    def pipeline(self, n, g):
        w = self.w[n]
        wd, on = self.wd_of(n)
        if self.t == 'AdaFactor':
            return g
        if self.t in ('AdamWeightDecay', 'Lamb'):
            pass
        elif on and self.decays(n):
            g = w * wd + g
        gc = self.group_of.get(n, {}).get('grad_centralization', False)
        if gc and self.t not in ('AdamWeightDecay', 'AdamOffload') and not self.o.get('use_offload'):
            if g.ndim > 1 and g.shape[1] % 16 == 0:
                g = g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True, dtype=F)
        if self.ls != 1.0:
            g = g * F(1.0 / self.ls)
        return g

    def st(self, k, n, init=0.0, shape=None):
        if (k, n) not in self.s:
            self.s[(k, n)] = np.full(self.w[n].shape if shape is None else shape, init, F)
        return self.s[(k, n)]

    def put(self, k, n, v):
        self.s[(k, n)] = np.asarray(v, F)
        return self.s[(k, n)]

    def run(self, grads):
        self.lr_now = {n: self.lr_of(n) for n in self.w}
        up = {}
        for n, g in grads.items():
            if 'indices' in g:
                up[n] = self.sparse_pipeline(n, g)
            else:
                up[n] = self.pipeline(n, arr(g))
        self.t1 = F(self.step + 1)
        self.b1p = F(self.b1p * self.h['beta1']) if 'beta1' in self.h else self.b1p
        self.b2p = F(self.b2p * self.h['beta2']) if 'beta2' in self.h else self.b2p
        wd = {n: self.wd_of(n) for n in self.w}
        for n, g in up.items():
            if isinstance(g, tuple):
                self.sparse_apply(n, *g)
            else:
                getattr(self, 'do_' + self.t)(n, g, self.lr_now[n], wd[n])
            self.w[n] = self.w[n].astype(F)
        self.step += 1

    # -- dense rules
    def do_SGD(self, n, g, lr, _):
        m = self.h['momentum']
        if m > 0:
            if (('first', n)) not in self.s:
                self.s[('first', n)] = 1
                a = self.put('accum', n, g)
            else:
                a = self.put('accum', n, self.st('accum', n) * m + (F(1) - self.h['dampening']) * g)
            g = g + a * m if self.h['nesterov'] else a
        self.w[n] = self.w[n] - lr * g

    def do_Momentum(self, n, g, lr, _):
        m = self.h['momentum']
        a = self.put('moments', n, self.st('moments', n) * m + g)
        self.w[n] = self.w[n] - (lr * g + lr * m * a if self.h['use_nesterov'] and not self.q else lr * a)

    def do_Adagrad(self, n, g, lr, _):
        a = self.st('accum', n, self.h['accum'])
        if self.h['update_slots'] or self.q:
            a = self.put('accum', n, a + g * g)
        self.w[n] = self.w[n] - lr * g / np.sqrt(a)

    def do_Adadelta(self, n, g, lr, _):
        rho, e = self.h['rho'], self.h['epsilon']
        a = self.put('accum', n, rho * self.st('accum', n) + (F(1) - rho) * g * g)
        u = np.sqrt(self.st('au', n) + e) / np.sqrt(a + e) * g
        self.put('au', n, rho * self.st('au', n) + (F(1) - rho) * u * u)
        self.w[n] = self.w[n] - lr * u

    def adam_moments(self, n, g):
        b1, b2 = self.h['beta1'], self.h['beta2']
        m = self.st('m', n)
        v = self.st('v', n)
        return self.put('m', n, m + (g - m) * (F(1) - b1)), self.put('v', n, v + (g * g - v) * (F(1) - b2))

    def lr_t(self, lr):
        return lr * np.sqrt(F(1) - self.b2p) / (F(1) - self.b1p)

    def do_Adam(self, n, g, lr, _):
        m, v = self.adam_moments(n, g)
        lt, e, b1 = self.lr_t(lr), self.h['eps'], self.h['beta1']
        if self.o.get('use_amsgrad'):
            v = self.put('vhat', n, np.maximum(self.st('vhat', n), v))
        elif self.o.get('use_nesterov'):
            m = m * b1 + (F(1) - b1) * g
        self.w[n] = self.w[n] - lt * m / (np.sqrt(v) + e)

    do_LazyAdam = do_AdamOffload = do_Adam

    def do_AdaMax(self, n, g, lr, _):
        b1, b2 = self.h['beta1'], self.h['beta2']
        m = self.put('m', n, b1 * self.st('m', n) + (F(1) - b1) * g)
        v = self.put('v', n, np.maximum(b2 * self.st('v', n), np.abs(g)))
        self.w[n] = self.w[n] - lr / (F(1) - self.b1p) * m / (v + self.h['eps'])

    def do_AdamWeightDecay(self, n, g, lr, wd):
        m, v = self.adam_moments(n, g)
        u = m / (np.sqrt(v) + self.h['eps'])
        if wd[1] and self.decays(n):
            u = u + wd[0] * self.w[n]
        self.w[n] = self.w[n] - lr * u

    def do_ASGD(self, n, g, lr, _):
        if self.step == 0:
            self.put('eta', n, lr)
            self.put('mu', n, F(1))
        eta, mu, lam = self.s[('eta', n)], self.s[('mu', n)], self.h['lambd']
        self.w[n] = self.w[n] * (F(1) - lam * eta) - eta * g
        ax = self.st('ax', n)
        self.put('ax', n, ax + (self.w[n] - ax) * mu if mu != 1 else self.w[n])
        self.put('eta', n, lr / np.power(F(1) + lam * lr * self.t1, self.h['alpha']))
        self.put('mu', n, F(1) / max(F(1), self.t1 - self.h['t0']))

    def ftrl(self, w, a, z, g, lr):
        l1, l2, p = self.h['l1'], self.h['l2'], self.h['lr_power']
        an = a + g * g
        pw = lambda x: np.sqrt(x) if p == F(-0.5) else np.power(x, -p)
        z = z + g - (pw(an) - pw(a)) / lr * w
        q = pw(an) / lr + F(2) * l2
        s = F(1) if self.q else np.sign(z)      # the dense CPU kernel forgets the sign
        return np.where(np.abs(z) > l1, (s * l1 - z) / q, F(0)).astype(F), an, z

    def do_FTRL(self, n, g, lr, _):
        self.w[n], a, z = self.ftrl(self.w[n], self.st('a', n, self.h['initial_accum']), self.st('z', n), g, lr)
        self.put('a', n, a), self.put('z', n, z)

    def prox(self, w, a, g, lr):
        a = a + g * g
        eta = lr / np.sqrt(a)
        v = w - eta * g
        l1, l2 = self.h['l1'], self.h['l2']
        if l1 > 0:
            return np.sign(v) * np.maximum(np.abs(v) - eta * l1, F(0)) / (F(1) + l2 * eta), a
        return v / (F(1) + l2 * eta), a

    def do_ProximalAdagrad(self, n, g, lr, _):
        self.w[n], a = self.prox(self.w[n], self.st('accum', n, self.h['accum']), g, lr)
        self.put('accum', n, a)

    def do_RMSProp(self, n, g, lr, _):
        d, m, e = self.h['decay'], self.h['momentum'], self.h['epsilon']
        s = self.st('ms', n, 1.0)
        s = self.put('ms', n, s * d + (F(1) - d) * g * g)
        if self.h['centered']:
            mg = self.put('mg', n, self.st('mg', n) * d + (F(1) - d) * g)
            den = s - mg * mg + e
        else:
            den = s + e
        root = np.sqrt(den)
        if self.q:                              # the CPU kernel's vector lanes put epsilon outside
            k = g.size // 8 * 8
            root.reshape(-1)[:k] = (np.sqrt(s) + e).reshape(-1)[:k]
        mo = self.put('mom', n, m * self.st('mom', n) + lr * g / root)
        self.w[n] = self.w[n] - mo

    def do_Rprop(self, n, g, lr, _):
        em, ep = (F(x) for x in self.o['etas'])
        lo, hi = (F(x) for x in self.o['step_sizes'])
        ss = np.full(self.w[n].shape, lr, F) if self.step == 0 else self.st('ss', n)
        s = np.sign(g * self.st('prev', n))
        f = np.where(s > 0, ep, np.where(s < 0, em, F(1))).astype(F)
        ss = np.clip(ss * f, lo, hi)
        g = np.where(f == em, F(0), g).astype(F)
        self.w[n] = self.w[n] - np.sign(g) * ss
        self.put('prev', n, g), self.put('ss', n, ss)

    def do_AdaFactor(self, n, g, lr, _):
        o, w = self.o, self.w[n]
        t = self.t1
        if o['relative_step']:
            lr = min(F(1e-6) * t if o['warmup_init'] else F(1e-2), F(1) / np.sqrt(t))
        b2 = F(1) - np.power(t, -self.h['decay_rate'])
        rms = lambda x: np.sqrt(np.mean(np.square(x), dtype=F))
        e0, e1 = (F(x) for x in o['eps'])
        if o['scale_parameter']:
            lr = lr * max(e1, rms(w))
        u = g * g + e0
        if g.ndim >= 2:
            r = self.put('r', n, self.st('r', n, shape=g.shape[:-1]) * b2 + u.mean(-1) * (F(1) - b2))
            c = self.put('c', n, self.st('c', n, shape=g.shape[:-2] + g.shape[-1:]) * b2 + u.mean(-2) * (F(1) - b2))
            u = (F(1) / np.sqrt(r / r.mean(-1, keepdims=True)))[..., None] * (F(1) / np.sqrt(c))[..., None, :] * g
        else:
            v = self.put('v', n, self.st('v', n) * b2 + u * (F(1) - b2))
            u = g / np.sqrt(v)
        u = u / max(F(1), rms(u) / self.h['clip_threshold']) * lr
        b1 = F(o['beta1'] or 0)
        if b1 > 0:
            u = self.put('m', n, self.st('m', n) * b1 + u * (F(1) - b1))
        wd = F(self.c['weight_decay'])
        if wd > 0:
            w = w - w * wd * lr
        self.w[n] = w - u

    def do_Lamb(self, n, g, lr, wd):
        """Bias-corrected (the Ascend/GPU kernels take global_step); trust ratio = |w| / |u|, 1 where either is 0."""
        b1, b2 = self.h['beta1'], self.h['beta2']
        m = self.put('m', n, b1 * self.st('m', n) + (F(1) - b1) * g)
        v = self.put('v', n, b2 * self.st('v', n) + (F(1) - b2) * g * g)
        u = (m / (F(1) - b1 ** self.t1)) / (np.sqrt(v / (F(1) - b2 ** self.t1)) + self.h['eps'])
        if wd[1] and self.decays(n):
            u = u + wd[0] * self.w[n]
        wn, un = np.sqrt(np.sum(self.w[n] ** 2)), np.sqrt(np.sum(u ** 2))
        ratio = wn / un if wn > 0 and un > 0 else F(1)
        self.w[n] = self.w[n] - lr * ratio * u

    # -- sparse
    def dedup(self, idx, v):
        u, inv = np.unique(idx, return_inverse=True)
        out = np.zeros((len(u),) + v.shape[1:], F)
        for k, j in enumerate(inv.ravel()):
            out[j] += v[k]
        return u, out

    def sparse_pipeline(self, n, g):
        idx = np.array(g['indices'])
        v = np.array(g['data'], F).reshape(g['values_shape'])
        wd, on = self.wd_of(n)
        if on and self.decays(n):
            v = self.w[n][idx] * wd + v
        if self.ls != 1.0:
            v = v * F(1.0 / self.ls)
        return idx, v

    def sparse_apply(self, n, idx, v):
        lr = self.lr_now[n]
        target = self.c.get('target', 'CPU-default')
        fused = target == 'CPU'
        if fused or (target in ('Ascend', 'GPU') and self.c.get('unique', True)):
            idx, v = self.dedup(idx, v)
        w = self.w[n]
        if self.t == 'FTRL':
            a, z = self.st('a', n, self.h['initial_accum']), self.st('z', n)
            for i, gi in zip(idx, v):
                w[i], a[i], z[i] = self.ftrl(w[i], a[i], z[i], gi, lr)
            return
        if self.t == 'ProximalAdagrad':
            a = self.st('accum', n, self.h['accum'])
            for i, gi in zip(idx, v):
                w[i], a[i] = self.prox(w[i], a[i], gi, lr)
            return
        b1, b2, e, lt = self.h['beta1'], self.h['beta2'], self.h['eps'], self.lr_t(lr)
        m, s = self.st('m', n), self.st('v', n)
        nest = self.o.get('use_nesterov')
        if self.t == 'LazyAdam' or self.o.get('use_lazy'):
            nm, ns = m[idx] * b1 + v * (F(1) - b1), s[idx] * b2 + v * v * (F(1) - b2)
            num = b1 * nm + v * (F(1) - b1) if nest else nm
            np.subtract.at(w, idx, lt * (num / (np.sqrt(ns) + e)))   # every duplicate's own update lands
            m[idx], s[idx] = nm, ns                                  # the last duplicate's slot wins
            return
        m *= b1
        s *= b2
        np.add.at(m, idx, (F(1) - b1) * v)
        np.add.at(s, idx, (F(1) - b2) * (v * v))
        num = m
        if nest:
            num = b1 * m
            np.add.at(num, idx, (F(1) - b1) * v)
        w -= lt * (num / (np.sqrt(s) + e))


class LARS:
    """LARS over an inner SGD/Momentum, see the semantic reference."""
    def __init__(self, c):
        inner = dict(c, optimizer=c['optimizer']['inner'])
        self.h = c['optimizer']
        self.wd, self.ls = float(c['weight_decay']), float(c['loss_scale'])
        inner.update(weight_decay=0.0, loss_scale=1.0)
        self.inner, self.c = Opt(inner), c
        self.w = self.inner.w

    def run(self, grads):
        e, k = F(self.h['epsilon']), F(self.h['coefficient'])
        out = {}
        for n, d in grads.items():
            g = arr(d)
            w = self.w[n]
            if self.ls != 1.0:
                g = g * F(1.0 / self.ls)
            if 'LayerNorm' not in n and 'bias' not in n:
                on = self.wd > 0 and 'beta' not in n and 'gamma' not in n
                wd = F(self.wd) if on else F(0)
                wn, gn = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(g * g))
                ratio = k * wn / (gn + wd * wn + e) if wn > 0 and gn > 0 else F(1)
                if self.h['use_clip']:
                    ratio = min(ratio / self.inner.lr_of(n), F(1))
                g = ratio * (g + wd * w)
            out[n] = {'shape': list(g.shape), 'data': g.ravel()}
        self.inner.run(out)


def engine(c):
    return LARS(c) if c['optimizer']['type'] == 'LARS' else Opt(c)


def replay(c):
    o = engine(c)
    worst = 0.0
    for st in c['steps']:
        o.run(st['grads'])
        for n, p in st['params_after'].items():
            ref = arr(p)
            err = np.abs(o.w[n].astype(np.float64) - ref) / np.maximum(np.abs(ref), 1e-2)
            worst = max(worst, float(err.max()))
    return worst


if __name__ == '__main__':
    here = os.path.dirname(os.path.abspath(__file__))
    dirs = sys.argv[1:] or [os.path.join(here, '../Golden', d) for d in ('public', 'quirks')]
    by, bad, n = {}, [], 0
    for d in dirs:
        for f in sorted(glob.glob(os.path.join(d, '*.json'))):
            c = json.load(open(f))
            if not isinstance(c, dict) or 'steps' not in c or c['framework'].startswith('torch'):
                continue
            try:
                e = replay(c)
            except Exception as x:
                bad.append((f, repr(x)))
                continue
            n += 1
            k = c['optimizer']['type']
            by[k] = max(by.get(k, 0), e)
            if e > 3e-5:
                bad.append((os.path.basename(f), e))
    print(n, 'cases replayed; worst relative error (floor 0.01) by optimizer:')
    for k, e in sorted(by.items()):
        print(f'  {k:18s} {e:.2e}')
    for b in bad:
        print('OVER', *b)
