"""softgpu for Python's kernel authors: `python -m softgpu run script.py` starts a program on a CUDA device in software."""
import ctypes
import json

_ROOM = 1 << 16


def _call(name, *arguments):
    """Calls one of softgpu's own entry points in the driver of this process."""
    driver = ctypes.CDLL("libcuda.so.1")
    if not hasattr(driver, name):
        raise RuntimeError("the CUDA driver of this process is not softgpu: start it with `python -m softgpu run`")
    return getattr(driver, name)(*arguments)


def set_option(name, value):
    """Sets an option of the running driver: `check`, `seed`, `abort`, `counters`, `streams`; after `cuInit`."""
    if code := _call("softgpu_set", name.encode(), str(value).encode()):
        raise ValueError(f"softgpu refuses {name}={value} (error {code})")


def _take(what):
    length = ctypes.c_size_t(_ROOM)
    while True:
        room, text = length.value, ctypes.create_string_buffer(length.value)
        code = _call("softgpu_take", what.encode(), text, ctypes.byref(length))
        if code == 0:
            return json.loads(text.value)
        if length.value <= room:
            # before cuInit there is nothing
            return None


def take_findings():
    """What the checks have found since the last call: a list of dictionaries, as `docs/driver.md` describes them.
    The driver needs to be at rest: synchronise before."""
    found = _take("findings")
    return found["findings"] if found else []


def take_counters():
    """The counters of the launches since the last call, where they are on."""
    return _take("counters") or []
