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


def gru_cell(kernel, bias, x, h):
    """h_t of one sentence: x [in], h [H]; one gate at a time, blocks r | z | n (Cho et al. 2014, reset as in cuDNN)."""
    units = len(h)
    read, recurrent = x @ kernel[: len(x)] + (0 if bias is None else bias), h @ kernel[len(x) :]
    r = sigmoid(read[:units] + recurrent[:units])
    z = sigmoid(read[units : 2 * units] + recurrent[units : 2 * units])
    n = np.tanh(read[2 * units :] + r * recurrent[2 * units :])
    return (1 - z) * n + z * h


def cell(kernel, bias, x, state):
    """(h_t, state) of one step: an LSTM of a state (h, c), a GRU of a state (h,)."""
    state = lstm_cell(kernel, bias, x, *state) if len(state) == 2 else (gru_cell(kernel, bias, x, *state),)
    return state[0], state


def layer(kernel, bias, xs, state):
    """Hidden states of all steps, and the last state."""
    hs = []
    for x in xs:
        h, state = cell(kernel, bias, x, state)
        hs.append(h)
    return hs, state


def lstm(kernel, bias, xs, h, c):
    """Hidden states of all steps, and the last (h, c)."""
    return layer(kernel, bias, xs, (h, c))


def attend(h, memory, kernel, score=None, score_vector=None, position=None, position_vector=None, window=None):
    """(h~, weights) of one decoder state over the encoder states [S, H] of one sentence (Luong et al. 2015, sec. 3)."""
    exponentials, centre = [], None
    if position is not None:
        centre = len(memory) * sigmoid(position_vector @ np.tanh(h @ position))
    for s, state in enumerate(memory, 1):
        if score_vector is not None:
            value = score_vector @ np.tanh(np.concatenate([h, state]) @ score)
        else:
            value = h @ state if score is None else h @ score @ state
        exponentials.append(np.exp(value) if centre is None or centre - window <= s <= centre + window else 0)
    weights = np.array(exponentials) / sum(exponentials)
    if centre is not None:
        for s in range(1, len(memory) + 1):
            weights[s - 1] *= np.exp(-((s - centre) ** 2) / (2 * (window / 2) ** 2))
    context = sum(weight * state for weight, state in zip(weights, memory))
    return np.tanh(np.concatenate([context, h]) @ kernel), weights


def encode(params, config, source):
    """(memory: list of [H], [state a layer]) of one sentence of word ids, in the order in which it is read."""
    xs = [params["source_embedding"]["embedding"][word] for word in source]
    units = config.units // 2 if config.bidirectional else config.units
    finals = []
    for k in range(config.layers):
        both = params["encoder"][f"layer_{k + 1}"]
        zeros = (np.zeros(units),) * (2 if config.cell == "lstm" else 1)
        forward, final = layer(both["forward"]["kernel"], both["forward"].get("bias"), xs, zeros)
        if config.bidirectional:
            one = both["backward"]
            backward, final_back = layer(one["kernel"], one.get("bias"), xs[::-1], zeros)
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
            one = params["decoder"][f"layer_{k + 1}"]
            x, states[k] = cell(one["kernel"], one.get("bias"), x, states[k])
        weights = np.zeros(len(memory))
        if config.attention != "none":
            x, weights = attend(x, memory, **params["attention"], window=config.window)
        fed = x
        logits.append(x @ params["softmax"]["kernel"] + params["softmax"].get("bias", 0))
        attention.append(weights)
    return np.array(logits), np.array(attention)
