"""pytest's side: a test marked `@pytest.mark.softgpu` fails when the checks find something while it runs. Start with
`python -m softgpu run -m pytest`."""
import ctypes
import gc

import pytest

import softgpu

RANKS = ["note", "warning", "error"]


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "softgpu(rank='error', check='all'): fails on softgpu's findings of that rank or a higher one"
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    mark = item.get_closest_marker("softgpu")
    if mark is None:
        yield
        return
    driver = ctypes.CDLL("libcuda.so.1")
    driver.cuInit(0)
    softgpu.set_option("check", mark.kwargs.get("check", "all"))
    softgpu.take_findings()
    outcome = yield
    gc.collect()
    driver.cuCtxSynchronize()
    least = RANKS.index(mark.kwargs.get("rank", "error"))
    found = [f for f in softgpu.take_findings() if RANKS.index(f["rank"]) >= least]
    if found and outcome.excinfo is None:
        lines = [f"{place(f)}: {f['rank']} {f['kind']} in {f['kernel']}: {f['message']}" for f in found]
        outcome.force_exception(pytest.fail.Exception("\n".join(["softgpu found:", *lines]), pytrace=False))


def place(finding):
    source = finding["source"]
    return f"{source['file']}:{source['line']}" if source else f"PTX line {finding['ptx_line']}"
