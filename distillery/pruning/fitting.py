"""Whether a way to prune can apply to a network: light, because reading the params asks it."""

from __future__ import annotations

from distillery.models.custom import OwnModule
from distillery.models.families import Family, any_network
from distillery.models.layers import Network
from distillery.models.sequence_layers import Steps
from distillery.params.prune import ChannelParams, PatternParams, Pruning, RegrowParams
from distillery.pruning.channels import RAW, Channels, channels_of

OTHERS = "magnitude, threshold, regrow and pattern prune single weights"


def unfit(model: Family, method: Pruning, where: str) -> str | None:
    """Why a family's networks cannot be pruned so, whatever their rows are; None: they can.

    `where` is the method's place in params.yaml.
    """
    if isinstance(model, OwnModule):
        inside = f"what is inside {model.function}, a torch module, is not known here"
        return f"{where}: {inside}; set prune to null, or give its layers (family: custom)"
    network = any_network(model)
    return None if network is None else cannot_prune(network, method, where)


def cannot_prune(network: Network, method: Pruning, where: str) -> str | None:
    """Why this network cannot be pruned so, and what else to do; None: it can."""
    channels = channels_of(network)
    match method:
        case ChannelParams():
            return _no_channels(channels, method, where)
        case _ if not channels.free and method.penalty is not None and method.penalty.kind == "group":
            last = channels.layers[-1].name
            return f"{where}.penalty.kind: group finds no channels, {last} gives the logits; use l1 or null"
        case PatternParams():
            return _no_pattern(channels, method, where)
        case RegrowParams(grow="activation") if any(isinstance(layer, Steps) for layer in network.layers):
            return f"{where}.grow: activation watches convolutions and dense layers, not steps; use gradient"
        case _:
            return None


def unscaled(channels: Channels) -> str | None:
    """The first layer that writes channels which may go, and has no batch norm to say what they matter."""
    plain = (p.name for p in channels.layers if p.writes in channels.free and not p.normalised)
    return next(plain, None)


def rounded_up(count: int, width: int, multiple: int) -> int:
    """How many of `width` channels stay where `count` are asked for: a multiple, one at least."""
    return min(width, -(-max(1, count) // multiple) * multiple)


def _no_channels(channels: Channels, method: ChannelParams, where: str) -> str | None:
    widths = sorted(set(channels.free.values()))
    if not widths:
        last = channels.layers[-1].name
        return f"{where}.kind: channels finds none that may go, {last} gives the logits; {OTHERS}"
    plain = unscaled(channels)
    if method.importance == "scale" and plain is not None:
        return f"{where}.importance: scale needs batch norms, and {plain} has none; use l1 or group"
    if not _some_go(channels, method):
        given = f"share {method.share:g} in multiples of {method.multiple}"
        said = ", ".join(map(str, widths))
        return (
            f"{where}.share: no channel would go, layers have {said} channels and {given} is asked: raise it"
        )
    return None


def _some_go(channels: Channels, method: ChannelParams) -> bool:
    """Whether a first round takes a channel; across the network it may come from any layer."""
    widths = channels.free.values()
    match method.scope:
        case "layer":
            asked = ((w, rounded_up(w - round(method.share * w), w, method.multiple)) for w in widths)
            return any(left < width for width, left in asked)
        case "network":
            return round(method.share * sum(widths)) > 0 and method.multiple < max(widths)


def _no_pattern(channels: Channels, method: PatternParams, where: str) -> str | None:
    """A layer that reads the rows may have any number of inputs, so it is no reason to refuse."""
    mixing = [p for p in channels.layers if p.reads != RAW and not p.each_alone]
    inputs = {p.name: channels.widths[p.reads] * p.spread for p in mixing}
    if inputs and max(inputs.values()) <= method.keep:
        widest = max(inputs, key=lambda name: inputs[name])
        return (
            f"{where}.keep: of the {inputs[widest]} inputs of {widest}, which has the most, all would stay; "
            f"lower it"
        )
    return None
