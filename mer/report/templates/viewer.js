"use strict";
// Steps through the frames of a video and the flow since each onset. All data is embedded in the page.
(function () {
  const data = JSON.parse(document.getElementById("frames").textContent);
  const view = document.getElementById("view");
  if (!data.frames.length) return;
  const find = (selector) => view.querySelector(selector);
  const slider = find("input[type=range]"), readout = find("output"), photo = find("img.frame");
  const canvas = find("canvas"), pen = canvas.getContext("2d"), empty = find(".empty"), full = find(".full");
  const playhead = document.getElementById("playhead");
  const G = data.grid, side = canvas.width, cell = side / G, small = document.createElement("canvas");
  small.width = small.height = G;
  let playing = null;

  function fields(frame) {  // facial, head and expression flow: 2 G^2 numbers each, in pixels
    const bytes = Uint8Array.from(atob(frame.flow), (c) => c.charCodeAt(0)), interval = data.intervals[frame.i];
    const values = new Int8Array(bytes.buffer), n = 2 * G * G;
    const expression = Float32Array.from(values.subarray(0, n), (v) => v * interval.step[0]);
    const head = Float32Array.from(values.subarray(n), (v) => v * interval.step[1]);
    return { expression, head, facial: expression.map((v, k) => v + head[k]) };
  }

  function color(u, v) {  // magnitude 0 to 1; same colors as flow_to_rgb
    const n = data.hues.length / 3, position = ((Math.atan2(v, u) / (2 * Math.PI) + 1) % 1) * n;
    const a = Math.floor(position) % n, b = (a + 1) % n, share = position - Math.floor(position), r = Math.hypot(u, v);
    return [0, 1, 2].map((c) => {
      const hue = data.hues[3 * a + c] * (1 - share) + data.hues[3 * b + c] * share;
      return r <= 1 ? 255 - r * (255 - hue) : 0.75 * hue;
    });
  }

  function draw(frame, part) {
    const interval = data.intervals[frame.i], longest = interval.longest[["facial", "head", "expression"].indexOf(part)];
    const field = fields(frame)[part], colors = new ImageData(G, G);
    for (let k = 0; k < G * G; k++) {
      colors.data.set([...color(field[2 * k] / longest, field[2 * k + 1] / longest), 255], 4 * k);
    }
    small.getContext("2d").putImageData(colors, 0, 0);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(small, 0, 0, side, side);
    const zoom = side / data.size;
    pen.save();
    pen.scale(zoom, zoom);
    pen.strokeStyle = "rgba(22,24,29,.38)";
    pen.stroke(new Path2D(interval.outline));
    pen.restore();
    const arrows = new Path2D();
    for (let k = 0; k < G * G; k++) {
      const u = field[2 * k] / longest, v = field[2 * k + 1] / longest, r = Math.hypot(u, v);
      if (r < 1 / 15) continue;
      const x = (k % G + 0.5) * cell, y = (Math.floor(k / G) + 0.5) * cell;
      const reach = 1.45 * cell * Math.min(r, 1.3), half = 0.13 * cell + 0.05 * reach, a = u / r, b = v / r;
      arrows.moveTo(x - b * half, y + a * half);
      arrows.lineTo(x + a * reach, y + b * reach);
      arrows.lineTo(x + b * half, y - a * half);
      arrows.closePath();
    }
    pen.lineWidth = 2; pen.strokeStyle = "rgba(255,255,255,.75)"; pen.stroke(arrows);
    pen.fillStyle = "#16181d"; pen.fill(arrows);
    full.textContent = "full color: " + longest.toPrecision(2) + " px";
  }

  function show() {
    const frame = data.frames[slider.value], part = find("input[name=part]:checked").value;
    const time = frame.t === null ? "" : ", " + frame.t.toFixed(3) + " s";
    let where = "between expressions";
    if (frame.i >= 0) {
      const interval = data.intervals[frame.i];
      const names = ["onset", "apex", "offset"].filter((name) => interval[name] === frame.n);
      where = "expression " + (frame.i + 1) + (names.length ? ", " + names.join(" and ") : "");
    }
    readout.textContent = "Frame " + frame.n + time + ": " + where;
    slider.setAttribute("aria-valuetext", readout.textContent);
    if (photo && frame.image) { photo.src = frame.image; photo.alt = "The face in frame " + frame.n; }
    canvas.hidden = full.hidden = !frame.flow;
    empty.hidden = Boolean(frame.flow);
    if (frame.flow) {
      draw(frame, part);
      canvas.setAttribute("aria-label", part + " flow from the onset to frame " + frame.n);
    }
    if (playhead) { const x = playhead.dataset.x0 * 1 + (frame.n - playhead.dataset.n0) * playhead.dataset.dx; playhead.setAttribute("x1", x); playhead.setAttribute("x2", x); }
  }

  function nearest(n) {
    let best = 0;
    data.frames.forEach((frame, k) => { if (Math.abs(frame.n - n) < Math.abs(data.frames[best].n - n)) best = k; });
    return best;
  }
  function go(k) { slider.value = k; show(); }

  slider.max = data.frames.length - 1;
  slider.addEventListener("input", show);
  view.querySelectorAll("input[name=part]").forEach((radio) => radio.addEventListener("change", show));
  document.querySelectorAll("[data-frame]").forEach((button) => button.addEventListener("click", () => {
    go(nearest(Number(button.dataset.frame)));
    slider.focus();
  }));
  const curve = document.getElementById("curve-picture");
  if (curve && playhead) curve.addEventListener("click", (event) => {
    const at = (event.clientX - curve.getBoundingClientRect().left) / curve.getBoundingClientRect().width * curve.viewBox.baseVal.width;
    go(nearest(playhead.dataset.n0 * 1 + (at - playhead.dataset.x0) / playhead.dataset.dx));
  });
  find(".play").addEventListener("click", (event) => {
    if (playing) { clearInterval(playing); playing = null; event.target.textContent = "Play"; return; }
    event.target.textContent = "Pause";
    playing = setInterval(() => go((Number(slider.value) + 1) % data.frames.length), 120);
  });
  document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
  go(data.intervals.length ? nearest(data.intervals[0].apex) : 0);
})();
