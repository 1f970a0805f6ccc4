"""Our encoder writes what rosbags writes, byte for byte, for every type that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.interfaces import Nodetype

from lander_runtime.cdr import Encoder, UnsupportedTypeError
from lander_runtime.messages import decode, typestore, zeros

TYPES = [name for name in typestore().fielddefs if name.startswith(("lander_interfaces/", "sensor_msgs/", "nav_msgs/"))]
BITS = {"float32": 32, "float64": 64}


def takes(name: str) -> bool:
    try:
        Encoder(typestore(), name)
    except UnsupportedTypeError:
        return False
    return True


TAKEN = [name for name in TYPES if takes(name)]


def single(base: str) -> st.SearchStrategy[Any]:
    if base == "string":
        return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
    if base == "bool":
        return st.booleans()
    if base in BITS:
        return st.floats(width=BITS[base])
    kind = np.iinfo(base if base not in ("byte", "char") else "uint8")
    return st.integers(int(kind.min), int(kind.max))


@st.composite
def messages(draw: st.DrawFn, name: str) -> Any:
    values = {}
    for field, (kind, detail) in typestore().fielddefs[name][1]:
        if kind == Nodetype.NAME:
            values[field] = draw(messages(detail))
        elif kind == Nodetype.BASE:
            values[field] = draw(single(detail[0]))
        else:
            (_, (base, _)), length = detail
            length = length if kind == Nodetype.ARRAY else draw(st.integers(0, 5))
            elements = draw(st.lists(single(base), min_size=length, max_size=length))
            if base == "string":
                values[field] = elements
                continue
            values[field] = np.array(elements, dtype=base.replace("byte", "uint8").replace("char", "uint8"))
    return typestore().types[name](**values)


@settings(max_examples=150)
@given(st.data())
def test_it_writes_the_same_bytes_as_rosbags(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(TAKEN))
    message = data.draw(messages(name))
    encoded = Encoder(typestore(), name)(message)
    assert encoded == bytes(typestore().serialize_cdr(message, name))
    assert bytes(typestore().serialize_cdr(decode(encoded, name), name)) == encoded


def test_it_takes_every_message_of_ours_and_leaves_sequences_of_messages() -> None:
    ours = {name for name in TYPES if name.startswith("lander_interfaces/msg/")}
    assert ours <= set(TAKEN)
    assert "sensor_msgs/msg/PointCloud2" not in TAKEN


def test_an_array_of_another_size_or_kind_is_refused() -> None:
    name = "lander_interfaces/msg/ImuIncrements"
    message, encoder = zeros(name), Encoder(typestore(), name)
    for wrong in (np.zeros(4), np.zeros(3, dtype=np.float32)):
        message.delta_v_body = wrong
        with pytest.raises(ValueError, match="delta_v_body"):
            encoder(message)
