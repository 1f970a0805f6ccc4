"""numba's compiler, with the types of what it compiles kept for the type checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile at the first call, keep the result on disk. No fastmath: the same sums on every machine.

    A division by zero gives infinity or NaN, as in numpy: to look out for it would cost inner loops half of their speed.
    """
    return cast(Function, njit(cache=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """The same for what an inner loop calls: it becomes part of its caller, whatever the compiler thinks of its length."""
    return cast(Function, njit(cache=True, error_model="numpy", forceinline=True)(function))
