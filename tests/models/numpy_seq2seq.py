"""The encoder-decoder of Luong et al. 2015 as plain loops over one unpadded sentence, in float64 numpy."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_cell(kernel, bias, x, h, c):
    """(h_t, c_t) of one sentence: x [in], h and c [H]; one gate at a time, blocks i | f | o | h^ (science.md A1)."""
    units = len(h)
    z = np.concatenate([x, h]) @ kernel + (0 if bias is None else bias)
    i, f, o, g = (z[k * units : (k + 1) * units] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def lstm(kernel, bias, xs, h, c):
    """Hidden states of all steps, and the last (h, c)."""
    hs = []
    for x in xs:
        h, c = lstm_cell(kernel, bias, x, h, c)
        hs.append(h)
    return hs, (h, c)


def attend(kernel, score, h, memory):
    """(h~, weights) of one decoder state over the encoder states [S, H] of one sentence."""
    scores = [h @ state if score is None else h @ score @ state for state in memory]
    exponentials = np.exp(np.array(scores) - max(scores))
    weights = exponentials / exponentials.sum()
    context = sum(weight * state for weight, state in zip(weights, memory))
    return np.tanh(np.concatenate([context, h]) @ kernel), weights


def encode(params, config, source):
    """(memory: list of [H], [(h, c) a layer]) of one sentence of word ids, in the order in which it is read."""
    xs = [params["source_embedding"]["embedding"][word] for word in source]
    units = config.units // 2 if config.bidirectional else config.units
    finals = []
    for k in range(config.layers):
        layer = params["encoder"][f"layer_{k + 1}"]
        zero = np.zeros(units)
        forward, final = lstm(layer["forward"]["kernel"], layer["forward"].get("bias"), xs, zero, zero)
        if config.bidirectional:
            one = layer["backward"]
            backward, final_back = lstm(one["kernel"], one.get("bias"), xs[::-1], zero, zero)
            forward = [np.concatenate(pair) for pair in zip(forward, backward[::-1])]
            final = tuple(np.concatenate(pair) for pair in zip(final, final_back))
        xs = forward
        finals.append(final)
    return xs, finals


def translate(params, config, source, target_in):
    """(logits [T, V], attention weights [T, S]) of one sentence pair under teacher forcing."""
    memory, states = encode(params, config, source)
    fed = np.zeros(config.units)
    logits, attention = [], []
    for word in target_in:
        x = params["target_embedding"]["embedding"][word]
        if config.input_feeding:
            x = np.concatenate([x, fed])
        for k in range(config.layers):
            layer = params["decoder"][f"layer_{k + 1}"]
            states[k] = lstm_cell(layer["kernel"], layer.get("bias"), x, *states[k])
            x = states[k][0]
        weights = np.zeros(len(memory))
        if config.attention != "none":
            x, weights = attend(params["attention"]["kernel"], params["attention"].get("score"), x, memory)
        fed = x
        logits.append(x @ params["softmax"]["kernel"] + params["softmax"].get("bias", 0))
        attention.append(weights)
    return np.array(logits), np.array(attention)
