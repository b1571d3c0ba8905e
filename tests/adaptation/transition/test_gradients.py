"""What holds for every transition: analytic gradients and leading dimensions."""

import pytest
import torch


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


def by_autograd(case):
    leaves = {name: value.clone().requires_grad_() for name, value in case.parameters.items()}
    maps = case.maps.clone().requires_grad_()
    logits = case.transition.logits(leaves, maps, case.scores).expand(case.gradient.shape)
    if not logits.requires_grad:  # no transition
        return torch.zeros_like(maps), {}
    found = torch.autograd.grad(
        (logits * case.gradient).sum(), [maps, *leaves.values()], materialize_grads=True
    )
    return found[0], dict(zip(leaves, found[1:], strict=True))


@pytest.mark.parametrize(("leading", "shared"), [((), False), ((4,), True), ((2, 3), False)])
def test_backward_equals_autograd(transition, case_of, leading, shared):
    case = case_of(transition, *leading, shared=shared)
    maps, parameters = case.backward()
    expected_maps, expected = by_autograd(case)
    assert_close(maps, expected_maps)
    free = {n for n in expected if not n.endswith(("_weight", "_bias"))}
    assert set(parameters) == free
    for name in free:
        assert_close(parameters[name], expected[name])


def test_backward_equals_central_differences(transition, case_of):
    case, step = case_of(transition), 1e-6
    by_maps, by_parameters = case.backward()
    moved = {name: case.parameters[name] for name in by_parameters}
    pairs = [(case.maps, by_maps), *((moved[n], by_parameters[n]) for n in moved)]
    for value, gradient in pairs:
        flat = value.view(-1)
        for index in range(flat.numel()):
            kept, losses = flat[index].item(), []
            for side in (step, -step):
                flat[index] = kept + side
                losses.append((case.logits() * case.gradient).sum().item())
            flat[index] = kept
            slope = (losses[0] - losses[1]) / (2 * step)
            assert gradient.reshape(-1)[index].item() == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_queries_in_one_pass_equal_single_ones(transition, case_of, shared):
    case = case_of(transition, 4, shared=shared)
    logits, (maps, parameters) = case.logits(), case.backward()
    for index in range(4):
        single = case.query(index)
        assert_close(logits[index], single.logits())
        expected_maps, expected = single.backward()
        assert_close(maps[index], expected_maps)
        for name, value in expected.items():
            assert_close(parameters[name][index], value)


@pytest.mark.parametrize("leading", [(), (4,)])
def test_backward_leaves_its_inputs_and_fills_the_memory_it_is_given(transition, case_of, leading):
    case = case_of(transition, *leading)
    before = [t.clone() for t in [case.maps, case.scores, case.gradient, *case.parameters.values()]]
    expected, _ = case.backward()
    classes, rows = case.gradient.shape[-2], case.maps.shape[-2]
    stacked = torch.full((*leading, classes + rows, case.maps.shape[-1]), 7.0).double()
    maps, _ = case.backward(stacked[..., classes:, :])
    assert torch.equal(maps, expected)
    assert torch.equal(stacked[..., classes:, :], expected)
    assert bool((stacked[..., :classes, :] == 7).all())
    after = [case.maps, case.scores, case.gradient, *case.parameters.values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_the_start_adds_nothing_is_float64_and_has_the_maps_it_names(transition):
    generator = torch.Generator().manual_seed(0)
    start = transition.initial(3, 5, 6, generator, torch.full((3, 2), 1 / 3).double())
    assert all(value.dtype == torch.float64 for value in start.values())
    rows = transition.map_rows(3, 5)
    for name, number in rows.items():
        assert start[f"{name}_weight"].shape == (number, 6)
        assert start[f"{name}_bias"].shape == (number,)
    head = {"base_weight": torch.zeros(3, 6).double(), "base_bias": torch.zeros(3).double()}
    head |= {"novel_weight": torch.zeros(2, 6).double(), "novel_bias": torch.zeros(2).double()}
    weight, bias = transition.maps({**head, **start})
    assert weight.shape == (sum(rows.values()), 6)
    assert bias.shape == (sum(rows.values()),)
    maps = weight @ torch.randn(6, 9).double()
    assert bool((transition.logits(start, maps, torch.randn(3, 9).double()) == 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_results_have_the_dtype_of_the_values(transition, case_of, dtype):
    case = case_of(transition)
    case.parameters = {name: value.to(dtype) for name, value in case.parameters.items()}
    case.maps, case.scores = case.maps.to(dtype), case.scores.to(dtype)
    case.gradient = case.gradient.to(dtype)
    maps, parameters = case.backward()
    assert {t.dtype for t in [case.logits(), maps, *parameters.values()]} == {dtype}
