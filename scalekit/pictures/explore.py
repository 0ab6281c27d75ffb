"""Explorers for a notebook: controls, a picture that follows them, a sentence that reads it."""

import io
import math
from collections.abc import Callable
from contextlib import ExitStack
from html import escape
from numbers import Integral

import ipywidgets as w
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scalekit.words import is_number, require


class Explorer(w.VBox):
    """Controls above a picture above a sentence; made by `explore`.

    `controls` are widgets by name; set ``.value`` to move one. `picture` holds the PNG. `sentence`
    is what `draw` returned, or what went wrong instead; `readout` shows it.
    """

    def __init__(self, draw: Callable[..., str], controls: dict, figsize: tuple, margin: str):
        # One canvas for good, apart from pyplot: nothing is echoed or leaked, and tick labels are
        # measured once. 144 dots an inch are sharp on most screens, at half the work of 192.
        self._canvas = FigureCanvasAgg(Figure(figsize=figsize, dpi=144, layout="constrained"))
        self._draw, self.controls = draw, controls
        self._start = self.values
        width = f"{96 * figsize[0]:.0f}px"
        self.picture = w.Image(layout={"width": width, "max_width": "100%", "height": "auto"})
        self.readout = w.HTML(layout={"max_width": width, "margin": "0 0 8px 0"})
        box = {"width": "5em", "margin": f"2px 0 2px calc({margin} + 8px)"}
        reset = w.Button(description="Reset", tooltip="Back to the values at the start", layout=box)
        reset.on_click(self._reset)
        # An error at the start is the author's to see: it is raised, not shown in the readout.
        self._redraw()
        for control in controls.values():
            control.observe(self._moved, names="value")
        super().__init__([*controls.values(), reset, self.picture, self.readout])

    def __repr__(self):
        """Return one line, without the bytes of the picture that a VBox would print."""
        return f"Explorer({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"

    @property
    def values(self) -> dict[str, object]:
        """The present value of every control, free of the page's 0.30000000000000004."""
        return {
            name: float(f"{c.value:.12g}") if isinstance(c.value, float) else c.value
            for name, c in self.controls.items()
        }

    def _redraw(self):
        self._drawn = self.values
        # The whole figure: colour bars and twin axes go too.
        self._canvas.figure.clear()
        said = self._draw(self._canvas.figure.add_subplot(), **self._drawn)
        require(
            isinstance(said, str), f"explore: draw returned {said!r}; return the sentence to show."
        )
        png = io.BytesIO()
        self._canvas.print_png(png, pil_kwargs={"compress_level": 1})
        self.picture.value = png.getvalue()
        self._say(said)

    def _moved(self, _change):
        # Events cannot pile up: the page keeps a slider's newest value until the kernel is idle.
        if self.values != self._drawn:
            try:
                self._redraw()
            # Whatever draw raises belongs under the picture, not in a log that nobody opens.
            except Exception as error:
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                self._say(f"No picture for these values (the last one stays): {kind}{error}")

    def _say(self, sentence):
        self.sentence = sentence
        self.readout.value = f'<div role="status" style="line-height: 1.5">{escape(sentence)}</div>'

    def _reset(self, _button):
        # Nobody hears of a change before all are made: one picture, not one for each control.
        with ExitStack() as held:
            for name, value in self._start.items():
                held.enter_context(self.controls[name].hold_trait_notifications())
                self.controls[name].value = value


def explore(
    draw: Callable[..., str], /, *, figsize: tuple[float, float] = (7, 4.2), **controls: object
) -> Explorer:
    """Show a picture and its sentence, drawn anew whenever a control moves.

    ``draw(ax, **values)`` draws on an empty matplotlib Axes with the present value of every control
    and returns the sentence that reads the picture. What it raises at the start is raised;
    afterwards it is shown in words under the last picture. `figsize` is in inches.

    There is one control for each argument of `draw`, in the order shown, labelled with its name:

    - ``(low, high, start)`` or ``(low, high, start, step)``: a slider, of integers if all are;
    - ``("log", low, high, start)``: a slider in equal ratios, about 20 to a factor of ten;
    - a list of values or of ``(label, value)`` pairs: buttons if they are few and short, else a
      drop-down list; it starts at the first;
    - True or False: a check box;
    - an ipywidgets widget with a ``value``, taken as it is.

    Notes
    -----
    How this misleads: a picture that jumps to fit every new value hides what changed, so set the
    axes' limits in `draw`. A slider explores the range its author chose. Draw on `ax`: figures of
    pyplot would show up beside this one. Without a running kernel the picture does not move, and a
    saved notebook does not hold it: show a static figure of the start values first.

    Examples
    --------
    >>> def line(ax, slope):
    ...     ax.plot([0, 1], [0, slope])
    ...     return f"The line rises by {slope:.1f}."
    >>> explorer = explore(line, slope=(0.0, 2.0, 1.0))
    >>> explorer.controls["slope"].value = 1.5
    >>> explorer.sentence
    'The line rises by 1.5.'
    """
    require(len(controls) > 0, "explore: no controls; name some, as in slope=(0.0, 2.0, 1.0).")
    # One width, so that the sliders line up.
    margin = f"{max(map(len, controls)) + 1}ch"
    layout = {"width": f"{72 * figsize[0]:.0f}px", "max_width": "100%"}
    look = {"style": {"description_width": margin}, "layout": layout}
    made = {
        name: _control(name, spec, {**look, "description": name.replace("_", " ")})
        for name, spec in controls.items()
    }
    return Explorer(draw, made, figsize, margin)


def _control(name, spec, look):
    """Make the control that a specification asks for."""
    match spec:
        case w.Widget() if spec.has_trait("value"):
            return spec
        case bool():
            return w.Checkbox(spec, **look)
        case list() if spec:
            return _choice(spec, look)
        case ("log", _, _, _):
            return _log_slider(name, spec[1:], look)
        case tuple() if len(spec) in (3, 4) and spec[0] != "log":
            return _slider(name, spec, look)
    raise ValueError(
        f"explore: {name} is {spec!r}; a control is (low, high, start), (low, high, start, step), "
        '("log", low, high, start), a list of options, True or False, or a widget with a value.'
    )


def _choice(options, look):
    """Make buttons of few and short options, else a drop-down list."""
    texts = [str(option[0] if isinstance(option, tuple) else option) for option in options]
    if len(options) > 4 or max(map(len, texts)) > 14:
        return w.Dropdown(options=options, **look)
    look["style"] = {**look["style"], "button_width": "auto"}
    # The label to the left, as all other controls have it of themselves.
    return w.ToggleButtons(options=options, **look).add_class("widget-inline-hbox")


def _log_slider(name, spec, look):
    low, high, start = _numbers(name, spec)
    require(low > 0, f"explore: {name} runs from {low} in ratios; a log slider starts above zero.")
    # In decades, as ipywidgets counts them: all but the start.
    low, high = math.log10(low), math.log10(high)
    look |= {"readout_format": ".3g", "step": _through(low, math.log10(start), 0.05)}
    return w.FloatLogSlider(start, min=low, max=high, **look)


def _slider(name, spec, look):
    low, high, start, *given = _numbers(name, spec)
    whole = all(isinstance(v, Integral) for v in spec)
    # Unless given, a power of ten of which the range holds fifty or more.
    [step] = given or [1 if whole else 10.0 ** math.floor(math.log10((high - low) / 50))]
    through = _through(low, start, step)
    meets = math.isclose(through, step, rel_tol=1e-9) or start == high
    require(meets or not given, f"explore: {name}: steps of {step} from {low} do not meet {start}.")
    if whole:
        return w.IntSlider(start, min=low, max=high, step=step, **look)
    digits = max(len(f"{v:.6f}".rstrip("0").partition(".")[2]) for v in (low, step))
    shown = ".3g" if step < 1e-6 or high >= 1e6 else f".{digits + (not meets)}f"
    look |= {"step": step if meets else through, "readout_format": shown}
    return w.FloatSlider(start, min=low, max=high, **look)


def _through(low, start, step):
    """Return the step nearest to `step` that meets `start`, or the page moves the slider there."""
    # Every step meets the low end.
    return (start - low) / max(1, round((start - low) / step)) or step


def _numbers(name, spec):
    """Return (low, high, start) or (low, high, start, step), checked."""
    for v in spec:
        require(is_number(v) and math.isfinite(v), f"explore: {name}: {v!r} is no finite number.")
    low, high, start, *given = spec
    require(low < high, f"explore: {name} runs from {low} to {high}; the low end comes first.")
    require(low <= start <= high, f"explore: {name} starts at {start}, outside {low} to {high}.")
    for step in given:
        require(
            0 < step <= high - low,
            f"explore: {name} has step {step}; give one in (0, {high - low}].",
        )
    return spec
