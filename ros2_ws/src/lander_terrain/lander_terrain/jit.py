"""numba's compiler, with the types of what it compiles kept for the type checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile at the first call, keep the result on disk. No fastmath: the same sums on every machine."""
    return cast(Function, njit(cache=True)(function))
