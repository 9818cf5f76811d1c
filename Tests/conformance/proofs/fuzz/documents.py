"""JSON documents broken at one place: the rest is unchanged, so that the server also reads what follows."""

from __future__ import annotations

import json
import random
from typing import Any


class Raw(str):
    """A piece of text that the document contains unchanged."""


class Members(list[list[Any]]):
    """An object as pairs, so that a name can occur twice."""


#: The replacements for a value.
ODD = [
    *(
        "null",
        "true",
        "-1",
        "0",
        "-0",
        "1",
        "0.5",
        "1e400",
        "-1e400",
        "1e-400",
        "3.5e38",
        "1e38",
        "1e-45",
        "9007199254740991",
    ),
    *(
        "9007199254740993",
        "18446744073709551616",
        "4294967296",
        "NaN",
        "Infinity",
        "0x1",
        "01",
        "1.",
        "+1",
        "1e",
        "--1",
    ),
    *(
        '""',
        '"1"',
        '"a"',
        '"*"',
        '"**a*b"',
        '"../x"',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udc00x"',
        '"é"',
        '"' + "a" * 5000 + '"',
    ),
    *("[]", "{}", "[[]]", "[[1],[1,2]]", "[1,2,3]", "[null]", "[1e39]", '{"shape":[2],"data":[1,2]}', '{"shape":[-1]}'),
    *(
        '{"shape":[4294967296,4294967296]}',
        '{"shape":[0],"data":[]}',
        '{"append":[0.1]}',
        '{"indices":[9],"values":[[1,1]]}',
    ),
    *(
        '{"shape":[2],"base64":"AACAPwAAgD8="}',
        '{"shape":[2],"base64":"=="}',
        "[" * 3000,
        '{"a":' * 500,
        '"open',
        "[1,",
        "tru",
    ),
    *(
        '"sgd"',
        '"lars"',
        '"torch.AdamW"',
        '{"type":"adam"}',
        '{"schedule":"cosine_decay_lr"}',
        "[" + "1," * 3000 + "1]",
    ),
]
#: Names of members that have a meaning somewhere.
NAMES = [
    *(
        "w",
        "v",
        "gradients",
        "parameters",
        "shape",
        "data",
        "init",
        "seed",
        "worker",
        "seq",
        "based_on",
        "step",
        "loss_scale",
    ),
    *(
        "learning_rate",
        "weight_decay",
        "groups",
        "params",
        "lr",
        "name",
        "optimizer",
        "type",
        "consistency",
        "framework",
    ),
    *(
        "gradient",
        "",
        "__proto__",
        "w#indices",
        "w#values",
        "a" * 300,
        "\u0000",
        "order_params",
        "dtype",
        "data_offsets",
    ),
]


def mutated(rng: random.Random, body: bytes) -> bytes:
    """Changes one or two places of the document; text that is not JSON, or nested too deeply, is returned unchanged."""
    try:
        tree = json.loads(body, object_pairs_hook=lambda pairs: Members(list(pair) for pair in pairs))
        root = [tree]
        for _ in range(rng.choice((1, 1, 2))):
            _change(rng, root)
        return "".join(_texts(root[0])).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return body


def _change(rng: random.Random, root: list[Any]) -> None:
    places = list(_places(root))
    holder, index = rng.choice(places)
    is_member = isinstance(holder, Members)
    kind = rng.randrange(8)
    if kind <= 3:
        value: Any = Raw(rng.choice(ODD))
        holder[index] = [holder[index][0], value] if is_member else value
    elif kind == 4 and holder is not root:
        del holder[index]
    elif kind == 5 and holder is not root:
        holder.insert(rng.randrange(len(holder) + 1), holder[index])
    elif kind == 6 and is_member:
        holder[index] = [rng.choice(NAMES), holder[index][1]]
    elif is_member:
        holder.append([rng.choice(NAMES), Raw(rng.choice(ODD))])
    else:
        other, place = rng.choice(places)
        value = other[place][1] if isinstance(other, Members) else other[place]
        holder[index] = value if value is not root[0] else Raw("[]")


def _places(holder: list[Any]) -> Any:
    for index, item in enumerate(holder):
        yield holder, index
        value = item[1] if isinstance(holder, Members) else item
        if isinstance(value, list):
            yield from _places(value)


def _texts(value: Any) -> Any:
    if isinstance(value, Raw):
        yield value
    elif isinstance(value, Members):
        parts = [json.dumps(name) + ":" + "".join(_texts(member)) for name, member in value]
        yield "{" + ",".join(parts) + "}"
    elif isinstance(value, list):
        yield "[" + ",".join("".join(_texts(item)) for item in value) + "]"
    else:
        yield json.dumps(value)
